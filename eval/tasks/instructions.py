"""The instructions of IFEval: functions of an answer and the instruction's arguments that say whether it is followed.

They follow the published checker (Zhou et al. 2023, arXiv:2311.07911), including its quirks: "at least" is >= and "less
than" is <; keywords ignore case and may lie within words; paragraphs are separated by three asterisks, but by blank
lines where a first word is asked for. Unlike there, a keyword is text: ``C++`` is no pattern, unless the item's
argument ``pattern`` is true. All are linear in the length of the answer, except for such patterns.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from eval.tasks.sentences import capital_words, count_sentences

Arguments = Mapping[str, Any]

# As published, a star alone on its line is one bullet with the next line.
STAR = re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE)
DASH = re.compile(r"^[^\S\n]*-", re.MULTILINE)
CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}
LANGDETECT_SEED = 0  # langdetect draws at random; with this seed a text always gets the same language


def _relation(count: int, relation: str, bound: int) -> bool:
    if relation == "at least":
        return count >= bound
    if relation == "less than":
        return count < bound
    raise ValueError(f"relation={relation!r} is unknown; choose one of: at least, less than")


def patterns(kind: str, arguments: Arguments) -> list[str]:
    """The regular expressions by which an instruction finds its keywords; none for one without keywords."""
    name = KEYWORDS.get(kind, "")
    words = arguments.get(name, [])
    texts = [words] if isinstance(words, str) else words
    return [word if arguments.get("pattern") else re.escape(word) for word in texts]


def existence(text: str, arguments: Arguments) -> bool:
    return all(re.search(word, text, re.IGNORECASE) for word in patterns("keywords:existence", arguments))


def frequency(text: str, arguments: Arguments) -> bool:
    (keyword,) = patterns("keywords:frequency", arguments)
    count = sum(1 for _ in re.finditer(keyword, text, re.IGNORECASE))
    return _relation(count, arguments["relation"], arguments["frequency"])


def forbidden_words(text: str, arguments: Arguments) -> bool:
    words = patterns("keywords:forbidden_words", arguments)
    # Not \b, which asks for a letter beside the plus of C++.
    return not any(re.search(rf"(?<!\w)(?:{word})(?!\w)", text, re.IGNORECASE) for word in words)


def letter_frequency(text: str, arguments: Arguments) -> bool:
    """Any character can be the letter, such as the '#' and '!' of two published prompts."""
    return _relation(
        text.lower().count(arguments["letter"].lower()), arguments["let_relation"], arguments["let_frequency"]
    )


def number_sentences(text: str, arguments: Arguments) -> bool:
    return _relation(count_sentences(text), arguments["relation"], arguments["num_sentences"])


def number_paragraphs(text: str, arguments: Arguments) -> bool:
    # As published, an empty part between two separators fails, at either end it does not count.
    parts = text.split("***")
    if any(not part.strip() for part in parts[1:-1]):
        return False
    return bool(sum(bool(part.strip()) for part in parts) == arguments["num_paragraphs"])


def number_words(text: str, arguments: Arguments) -> bool:
    return _relation(len(re.findall(r"\w+", text)), arguments["relation"], arguments["num_words"])


def nth_paragraph_first_word(text: str, arguments: Arguments) -> bool:
    paragraphs = text.split("\n\n")
    count = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    nth = arguments["nth_paragraph"]
    if count != arguments["num_paragraphs"] or nth > count or not paragraphs[nth - 1].strip():
        return False
    word = paragraphs[nth - 1].split()[0].lstrip("'\"")
    return bool(re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == arguments["first_word"].lower())


def number_placeholders(text: str, arguments: Arguments) -> bool:
    count = 0
    for line in text.split("\n"):
        opened = line.find("[")
        while opened >= 0 and (closed := line.find("]", opened)) >= 0:
            count, opened = count + 1, line.find("[", closed)
    return bool(count >= arguments["num_placeholders"])


def postscript(text: str, arguments: Arguments) -> bool:
    marker = arguments["postscript_marker"]
    pattern = POSTSCRIPTS.get(marker, re.compile(re.escape(marker.lower())))
    return bool(pattern.search(text.lower()))


def number_bullet_lists(text: str, arguments: Arguments) -> bool:
    return bool(len(STAR.findall(text)) + len(DASH.findall(text)) == arguments["num_bullets"])


def constrained_response(text: str, arguments: Arguments) -> bool:
    return any(choice in text for choice in CHOICES)


def number_highlighted_sections(text: str, arguments: Arguments) -> bool:
    single = [inside.strip("*").strip() for inside in re.findall(r"\*[^\n*]*\*", text)]
    double = [inside[2:-2].strip() for inside in re.findall(r"\*\*[^\n*]*\*\*", text)]
    return bool(sum(map(bool, single + double)) >= arguments["num_highlights"])


def multiple_sections(text: str, arguments: Arguments) -> bool:
    splitter = re.escape(arguments["section_spliter"].strip())
    return bool(len(re.findall(rf"{splitter}\s?\d", text)) >= arguments["num_sections"])


def json_format(text: str, arguments: Arguments) -> bool:
    text = text.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(opening)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str, arguments: Arguments) -> bool:
    for line in text.split("\n"):
        opened, closed = line.find("<<"), line.rfind(">>")
        if opened >= 0 and closed > opened + 2 and line[opened:closed].strip("<>").strip():
            return True
    return False


def two_responses(text: str, arguments: Arguments) -> bool:
    parts = [part.strip() for part in text.split("******")]
    if any(not part for part in parts[1:-1]):
        return False
    responses = [part for part in parts if part]
    return len(responses) == 2 and responses[0] != responses[1]


def repeat_prompt(text: str, arguments: Arguments) -> bool:
    return text.strip().lower().startswith(arguments["prompt_to_repeat"].strip().lower())


def end_checker(text: str, arguments: Arguments) -> bool:
    return text.strip().strip('"').lower().endswith(arguments["end_phrase"].strip().lower())


def quotation(text: str, arguments: Arguments) -> bool:
    text = text.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def capital_word_frequency(text: str, arguments: Arguments) -> bool:
    return _relation(capital_words(text), arguments["capital_relation"], arguments["capital_frequency"])


def english_capital(text: str, arguments: Arguments) -> bool:
    return text.isupper() and _is_in(text, "en")


def english_lowercase(text: str, arguments: Arguments) -> bool:
    return text.islower() and _is_in(text, "en")


def response_language(text: str, arguments: Arguments) -> bool:
    return _is_in(text, arguments["language"])


def _is_in(text: str, language: str) -> bool:
    """Whether a text is in the language. As published, True for a text without a detectable one, such as digits."""
    import langdetect  # slow to load, and needed by three instructions only

    langdetect.DetectorFactory.seed = LANGDETECT_SEED
    try:
        return bool(langdetect.detect(text) == language)
    except langdetect.LangDetectException:
        return True


def no_comma(text: str, arguments: Arguments) -> bool:
    return "," not in text


INSTRUCTIONS: dict[str, Callable[[str, Arguments], bool]] = {
    "keywords:existence": existence,
    "keywords:frequency": frequency,
    "keywords:forbidden_words": forbidden_words,
    "keywords:letter_frequency": letter_frequency,
    "length_constraints:number_sentences": number_sentences,
    "length_constraints:number_paragraphs": number_paragraphs,
    "length_constraints:number_words": number_words,
    "length_constraints:nth_paragraph_first_word": nth_paragraph_first_word,
    "detectable_content:number_placeholders": number_placeholders,
    "detectable_content:postscript": postscript,
    "detectable_format:number_bullet_lists": number_bullet_lists,
    "detectable_format:constrained_response": constrained_response,
    "detectable_format:number_highlighted_sections": number_highlighted_sections,
    "detectable_format:multiple_sections": multiple_sections,
    "detectable_format:json_format": json_format,
    "detectable_format:title": title,
    "combination:two_responses": two_responses,
    "combination:repeat_prompt": repeat_prompt,
    "startend:end_checker": end_checker,
    "startend:quotation": quotation,
    "change_case:capital_word_frequency": capital_word_frequency,
    "change_case:english_capital": english_capital,
    "change_case:english_lowercase": english_lowercase,
    "punctuation:no_comma": no_comma,
    "language:response_language": response_language,
}

KEYWORDS = {
    "keywords:existence": "keywords", "keywords:frequency": "keyword", "keywords:forbidden_words": "forbidden_words",
}  # fmt: skip
"""The arguments that hold keywords."""

ARGUMENTS = {
    "keywords:existence": ("keywords",),
    "keywords:frequency": ("keyword", "frequency", "relation"),
    "keywords:forbidden_words": ("forbidden_words",),
    "keywords:letter_frequency": ("letter", "let_frequency", "let_relation"),
    "length_constraints:number_sentences": ("num_sentences", "relation"),
    "length_constraints:number_paragraphs": ("num_paragraphs",),
    "length_constraints:number_words": ("num_words", "relation"),
    "length_constraints:nth_paragraph_first_word": ("num_paragraphs", "nth_paragraph", "first_word"),
    "detectable_content:number_placeholders": ("num_placeholders",),
    "detectable_content:postscript": ("postscript_marker",),
    "detectable_format:number_bullet_lists": ("num_bullets",),
    "detectable_format:number_highlighted_sections": ("num_highlights",),
    "detectable_format:multiple_sections": ("section_spliter", "num_sections"),
    "combination:repeat_prompt": ("prompt_to_repeat",),
    "startend:end_checker": ("end_phrase",),
    "change_case:capital_word_frequency": ("capital_frequency", "capital_relation"),
    "language:response_language": ("language",),
}
"""The arguments that each instruction needs; the others need none."""
