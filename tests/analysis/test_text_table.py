"""Tables of the terminal: what stands in one line belongs together."""

from analysis.text_table import TextTable, render


def test_numbers_stand_beside_their_names_where_a_name_is_too_long_for_its_column():
    names = ("mathematical_proofs_and_their_checks", "code", "general")
    row = ("multitask\nbest: 85 %", "\n".join(names), "11\n22\n33")
    lines = render(TextTable("title", ("strategy", "ability", "samples"), (row,)), 40).splitlines()
    for start, number in (("mathem", "11"), ("code", "22"), ("general", "33")):
        (line,) = [line for line in lines if start in line]
        assert line.split()[-1] == number
    (first,) = [line for line in lines if "multitask" in line]
    assert "11" in first and len(lines) > 7, "the long name takes several lines"
