"""Every instruction type on answers that follow it and answers that do not; strict and loose; nothing at random."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from eval.items.jsonl import read
from eval.tasks import ifeval
from eval.tasks.instructions import ARGUMENTS, INSTRUCTIONS, count_sentences
from tests.conftest import PUBLIC_DATA, ROOT

# type: arguments, texts that follow, texts that do not
CASES = {
    "keywords:existence": ({"keywords": ["cat", "dog"]}, ["A Dog and a CAT."], ["a cat", ""]),
    "keywords:frequency": ({"keyword": "so", "relation": "at least", "frequency": 2}, ["so, SO"], ["so"]),
    "keywords:forbidden_words": ({"forbidden_words": ["cat"]}, ["concatenate"], ["a Cat!"]),
    "keywords:letter_frequency": (
        {"letter": "z", "let_relation": "less than", "let_frequency": 2},
        ["Zoo"],
        ["Zzz"],
    ),
    "length_constraints:number_sentences": (
        {"relation": "less than", "num_sentences": 3},
        ["One. Two!", "Mr. Fox ran. He won."],
        ["One. Two! Three?"],
    ),
    "length_constraints:number_paragraphs": ({"num_paragraphs": 2}, ["a\n***\nb", "a***b\n***"], ["a", "a***\n***b"]),
    "length_constraints:number_words": ({"relation": "at least", "num_words": 3}, ["one two three"], ["one two"]),
    "length_constraints:nth_paragraph_first_word": (
        {"num_paragraphs": 2, "nth_paragraph": 2, "first_word": "elm"},
        ["Ash\n\n'Elm, he said"],
        ["Elm\n\nAsh", "Ash\n\nElm\n\nOak"],
    ),
    "detectable_content:number_placeholders": ({"num_placeholders": 2}, ["[a] and [b]"], ["[a] and b]"]),
    "detectable_content:postscript": ({"postscript_marker": "P.S."}, ["Bye\nP. S. more"], ["Bye"]),
    "detectable_format:number_bullet_lists": (
        {"num_bullets": 2},
        ["* a\n- b", "x\n  * a\n  * b"],
        ["* a", "**a**\n* b"],
    ),
    "detectable_format:constrained_response": ({}, ["My answer is maybe."], ["Maybe."]),
    "detectable_format:number_highlighted_sections": ({"num_highlights": 2}, ["*a* *b*", "**a** *b*"], ["*a* ** **"]),
    "detectable_format:multiple_sections": (
        {"section_spliter": "Day", "num_sections": 2},
        ["Day 1 x Day 2 y"],
        ["Day one Day 2"],
    ),
    "detectable_format:json_format": ({}, ['{"a": 1}', '```json\n{"a": 1}\n```'], ["{a: 1}", "[" * 100_000]),
    "detectable_format:title": ({}, ["<<Joy>>\ntext"], ["<< >>", "<Joy>"]),
    "combination:two_responses": ({}, ["a******b"], ["a", "a******a", "a******b******c"]),
    "combination:repeat_prompt": ({"prompt_to_repeat": "Say it"}, ["say it. Fine"], ["Fine"]),
    "startend:end_checker": ({"end_phrase": "Any more?"}, ['Yes. "Any more?"'], ["Any more? No"]),
    "startend:quotation": ({}, ['"All"'], ['"All', '"']),
    "change_case:capital_word_frequency": (
        {"capital_relation": "at least", "capital_frequency": 2},
        ["NO WAY out"],
        ["No WAY out"],
    ),
    "change_case:english_capital": (
        {},
        ["THE LETTERS OF THIS SENTENCE ARE LARGE."],
        ["All of this is in English", "ALLE DIESE WÖRTER SIND DEUTSCH UND NICHT ENGLISCH."],
    ),
    "change_case:english_lowercase": (
        {},
        ["the letters of this sentence are small."],
        ["All of this is in English", "alle diese wörter sind deutsch und nicht englisch."],
    ),
    "language:response_language": (
        {"language": "de"},
        ["Dieser Satz ist auf Deutsch geschrieben.", "123"],  # of digits no language can be made out
        ["This sentence is written in English.", "Cette phrase est en français, bien sûr."],
    ),
    "punctuation:no_comma": ({}, ["a b"], ["a, b"]),
}


def item(kind, given):
    return {"kinds": [kind], "arguments": [given]}


def test_all_types_have_cases():
    assert set(CASES) == set(INSTRUCTIONS)
    assert len(INSTRUCTIONS) == 25


@pytest.mark.parametrize("kind", CASES)
def test_following_and_not(kind):
    given, follow, fail = CASES[kind]
    for text in follow:
        assert ifeval.score(item(kind, given), text)["correct"], text
    for text in fail:
        assert not ifeval.score(item(kind, given), text)["correct"], text


PLUS = [
    ("keywords:existence", {"keywords": ["C++"]}),
    ("keywords:frequency", {"keyword": "C++", "relation": "at least", "frequency": 1}),
]


@pytest.mark.parametrize(("kind", "given"), PLUS)
def test_a_keyword_is_text_unless_the_item_calls_it_a_pattern(kind, given, tmp_path):
    assert ifeval.score(item(kind, given), "I write C++ code.")["correct"]
    assert not ifeval.score(item(kind, given), "Cats like milk.")["correct"]
    words = {"forbidden_words": ["C++", "a.c"]}
    assert not ifeval.score(item("keywords:forbidden_words", words), "It is in c++, so.")["correct"]
    assert ifeval.score(item("keywords:forbidden_words", words), "Cats and abc like milk.")["correct"]
    called = json.loads(json.dumps(given).replace("C++", "ca?ts"))
    assert ifeval.score(item(kind, called | {"pattern": True}), "Cats like milk.")["correct"]
    bad = {"key": 1, "prompt": "p", "instruction_id_list": [kind], "kwargs": [given | {"pattern": True}]}
    (tmp_path / "items.jsonl").write_text(json.dumps(bad).replace("C++", "C(("))
    with pytest.raises(ValueError, match=r"item 0: instruction '.*': the pattern 'C\(\(' is no regular expression"):
        ifeval.items(tmp_path / "items.jsonl")


@pytest.mark.parametrize("kind", CASES)
def test_an_empty_answer_follows_nothing(kind):
    verdict = ifeval.score(item(kind, CASES[kind][0]), " \n")
    assert not verdict["correct"] and not verdict["loose"]


def test_loose_forgives_a_frame_and_asterisks():
    capitals = item("change_case:english_capital", {})
    framed = ifeval.score(capitals, "Sure, here it is:\n*ALL OF IT IS IN LARGE LETTERS*\nHope it helps")
    assert not framed["correct"] and framed["loose"]
    assert not ifeval.score(capitals, "Sure\nso so\nbye")["loose"]


def test_loose_lets_each_instruction_choose_its_form():
    both = {
        "kinds": ["startend:quotation", "combination:repeat_prompt"],
        "arguments": [{}, {"prompt_to_repeat": "Sure"}],
    }
    verdict = ifeval.score(both, 'Sure\n"quoted"')
    assert verdict["followed"] == [False, True] and verdict["loose"]


def test_levels_are_counted_apart():
    rows = [
        ifeval.score({"kinds": ["punctuation:no_comma", "startend:quotation"], "arguments": [{}, {}]}, "plain"),
        ifeval.score(item("punctuation:no_comma", {}), "plain"),
    ]
    found = {metric.metric: metric for metric in ifeval.metrics(rows)}
    assert found["accuracy"].value == 0.5 and found["accuracy"].n_items == 2
    assert found["instruction_strict"].value == 2 / 3


def test_languages_are_the_same_on_every_look():
    """The detector draws at random; these texts lie between languages, where an unseeded one wavers."""
    texts = ["no problem", "la casa", "tamo sa me", "ok de la den", "a i o u e", "in a vase"] * 3
    given = [[instruction_language(text, code) for code in ("en", "es", "it", "nl", "hr")] for text in texts]
    assert given[:6] == given[6:12] == given[12:]


def instruction_language(text, code):
    return ifeval.score(item("language:response_language", {"language": code}), text)["correct"]


@pytest.mark.parametrize("kind", ARGUMENTS)
def test_a_missing_argument_is_named_and_never_drawn(kind, tmp_path):
    path, given = tmp_path / "general.jsonl", CASES[kind][0]
    for name in ARGUMENTS[kind]:
        less = {key: value for key, value in given.items() if key != name} | {name: None}
        path.write_text(json.dumps({"key": 1, "prompt": "p", "instruction_id_list": [kind], "kwargs": [less]}))
        with pytest.raises(ValueError, match=f"instruction '{kind}' lacks {name}"):
            ifeval.items(path)


def test_the_two_published_signs_count_as_letters(public_data):
    rows = {row["id"]: row for row in ifeval.items(public_data / "general" / "ifeval_input_data.jsonl")}
    for key, sign in (("1122", "#"), ("1129", "!")):
        place = rows[key]["kinds"].index("keywords:letter_frequency")
        bound = rows[key]["arguments"][place]["let_frequency"]
        assert ifeval.score(rows[key], f"x{sign}" * bound)["followed"][place]
        assert not ifeval.score(rows[key], f"x{sign}" * (bound - 1) + "y" * 99)["followed"][place]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Who came. He left", 2),
        ("It costs 3.50 now!", 1),
        ("Wait... what?! Yes.", 3),
        ("We met at 3 p.m. and left. The U.S. The end.", 3),
        ("1. One thing. 2. another thing.", 3),
        ("He said **stop.** Then he *went.*", 3),
        ('She asked, "Why?" (Nobody knew.)', 2),
        ("", 0),
    ],
)
def test_sentences(text, count):
    assert count_sentences(text) == count


LONG = """
from eval.tasks import ifeval
from tests.eval.tasks.test_ifeval import CASES, item
for unit in ("<<", "[", "*", "-", "\\n", " ", "a. ", "P. ", "***", '"', "{"):
    for kind, (given, _, _) in CASES.items():
        print(kind, ifeval.score(item(kind, given), unit * 100_000)["correct"])
"""


def test_long_answers_cost_no_more_than_their_length():
    """In a process that may use a minute of processor time: it takes 5 s, and hours if cost grew by the square."""

    def limit():
        resource.setrlimit(resource.RLIMIT_CPU, (60, 60))

    ended = subprocess.run([sys.executable, "-c", LONG], cwd=ROOT, preexec_fn=limit, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    verdicts = ended.stdout.splitlines()
    assert len(verdicts) == 11 * 25
    plain = [line.endswith("True") for line in verdicts if line.startswith("punctuation:no_comma")]
    assert plain == [True] * 4 + [False] * 2 + [True] * 5  # newlines and blanks alone are an empty answer


def test_unknown_instructions_and_relations_are_named(tmp_path):
    path = tmp_path / "general.jsonl"
    path.write_text(json.dumps({"key": 1, "prompt": "p", "instruction_id_list": ["x:y"], "kwargs": [{}]}) + "\n")
    with pytest.raises(ValueError, match="'x:y' is unknown"):
        ifeval.items(path)
    with pytest.raises(ValueError, match="relation='around'"):
        ifeval.score(item("length_constraints:number_words", {"relation": "around", "num_words": 1}), "a")


def test_the_published_prompts_load(public_data):
    rows = ifeval.items(public_data / "general" / "ifeval_input_data.jsonl")
    kinds = {kind for row in rows for kind in row["kinds"]}
    assert len(rows) == (39 if public_data == PUBLIC_DATA["cut"] else 541) and kinds == set(INSTRUCTIONS)
    for row in rows:
        assert ifeval.score(row, "Some answer.")["instructions"] == row["kinds"]


def test_verdicts_are_those_of_the_published_checker():
    """Stored answers with the verdicts that the published code (its copy in lm-eval 0.4.13, detector seeded) gave."""
    rows = read(Path(__file__).parents[2] / "golden" / "ifeval.jsonl.gz")
    both = {(kind, verdict) for row in rows for kind, verdict in zip(row["kinds"], row["strict"], strict=True)}
    assert both == {(kind, verdict) for kind in INSTRUCTIONS for verdict in (True, False)}
    wrong = []
    for row in rows:
        # There every keyword is a pattern.
        found = ifeval.score(
            row | {"arguments": [own | {"pattern": True} for own in row["arguments"]]}, row["response"]
        )
        if [found["followed"], found["followed_loose"]] != [row["strict"], row["loose"]]:
            wrong.append(row)
    assert len(rows) == 552 and wrong == []
