"""What is printed under a sweep's table."""

from sweep.results.warnings import LINES, _contamination


def pair(source: str, flagged: int, items: int = 10) -> dict:
    return {"task": "gsm8k", "source": source, "items": items, "flagged": flagged, "whole": 1, "any_13": 0, "short": 0}


def test_the_worst_overlaps_stand_first_by_share():
    pairs = [pair("a", 2), pair("b", 9), pair("c", 0), pair("d", 10, 100), pair("e", 5)]
    lines = _contamination(pairs)
    assert [line.split(" are in ")[1][0] for line in lines[:-1]] == ["b", "e", "a", "d"]
    assert lines[0] == "overlap: 9 of 10 items of gsm8k are in b, 1 of them whole; 0 share a run of 13 words"
    assert lines[-1] == "accuracy_clean in the table leaves such items out"


def test_more_pairs_than_lines_are_counted():
    lines = _contamination([pair(str(number), number) for number in range(1, LINES + 3)])
    assert lines[-2] == "overlap: and 2 more pairs, see overlap.csv" and len(lines) == LINES + 2
    assert _contamination([pair("a", 0)]) == []
