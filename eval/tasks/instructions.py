"""The instructions of IFEval: each a function of an answer and its arguments that says whether it is followed.

The meanings are those of the published checker (Zhou et al. 2023, arXiv:2311.07911), among them its quirks: "at least"
is >= and "less than" is <; keywords are regular expressions that ignore case; paragraphs are separated by three
asterisks, but by blank lines where a first word is asked for. All are linear in the length of the answer but for
keywords, which come from the test file.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from eval.tasks.sentences import capital_words, count_sentences

Arguments = Mapping[str, Any]

STAR = re.compile(r"^[^\S\n]*\*[^*].*$", re.MULTILINE)  # as published, a lone star counts with the line after it
DASH = re.compile(r"^[^\S\n]*-", re.MULTILINE)
CHOICES = ("My answer is yes.", "My answer is no.", "My answer is maybe.")
POSTSCRIPTS = {"P.P.S": re.compile(r"p\.\s?p\.\s?s"), "P.S.": re.compile(r"p\.\s?s\.")}
LANGDETECT_SEED = 0  # its detector draws at random; the factory's seed makes one text one language


def _relation(count: int, relation: str, bound: int) -> bool:
    if relation == "at least":
        return count >= bound
    if relation == "less than":
        return count < bound
    raise ValueError(f"relation={relation!r} is unknown; choose one of: at least, less than")


def existence(text: str, given: Arguments) -> bool:
    return all(re.search(word, text, re.IGNORECASE) for word in given["keywords"])


def frequency(text: str, given: Arguments) -> bool:
    count = len(re.findall(given["keyword"], text, re.IGNORECASE))
    return _relation(count, given["relation"], given["frequency"])


def forbidden_words(text: str, given: Arguments) -> bool:
    return not any(re.search(rf"\b{word}\b", text, re.IGNORECASE) for word in given["forbidden_words"])


def letter_frequency(text: str, given: Arguments) -> bool:
    """Any single character counts as the letter, also the '#' and '!' of two published prompts."""
    return _relation(text.lower().count(given["letter"].lower()), given["let_relation"], given["let_frequency"])


def number_sentences(text: str, given: Arguments) -> bool:
    return _relation(count_sentences(text), given["relation"], given["num_sentences"])


def number_paragraphs(text: str, given: Arguments) -> bool:
    parts = text.split("***")
    if any(not part.strip() for part in parts[1:-1]):
        return False
    return bool(sum(bool(part.strip()) for part in parts) == given["num_paragraphs"])


def number_words(text: str, given: Arguments) -> bool:
    return _relation(len(re.findall(r"\w+", text)), given["relation"], given["num_words"])


def nth_paragraph_first_word(text: str, given: Arguments) -> bool:
    paragraphs = text.split("\n\n")
    count = sum(bool(paragraph.strip()) for paragraph in paragraphs)
    place = given["nth_paragraph"]
    if count != given["num_paragraphs"] or place > count or not paragraphs[place - 1].strip():
        return False
    word = paragraphs[place - 1].split()[0].lstrip("'\"")
    return bool(re.split(r"[.,?!'\"]", word, maxsplit=1)[0].lower() == given["first_word"].lower())


def number_placeholders(text: str, given: Arguments) -> bool:
    count = 0
    for line in text.split("\n"):
        opened = line.find("[")
        while opened >= 0 and (closed := line.find("]", opened)) >= 0:
            count, opened = count + 1, line.find("[", closed)
    return bool(count >= given["num_placeholders"])


def postscript(text: str, given: Arguments) -> bool:
    marker = given["postscript_marker"]
    pattern = POSTSCRIPTS.get(marker, re.compile(re.escape(marker.lower())))
    return bool(pattern.search(text.lower()))


def number_bullet_lists(text: str, given: Arguments) -> bool:
    return bool(len(STAR.findall(text)) + len(DASH.findall(text)) == given["num_bullets"])


def constrained_response(text: str, given: Arguments) -> bool:
    return any(choice in text for choice in CHOICES)


def number_highlighted_sections(text: str, given: Arguments) -> bool:
    single = [found.strip("*").strip() for found in re.findall(r"\*[^\n*]*\*", text)]
    double = [found[2:-2].strip() for found in re.findall(r"\*\*[^\n*]*\*\*", text)]
    return bool(sum(map(bool, single + double)) >= given["num_highlights"])


def multiple_sections(text: str, given: Arguments) -> bool:
    splitter = given["section_spliter"].strip()
    return bool(len(re.findall(rf"{splitter}\s?\d", text)) >= given["num_sections"])


def json_format(text: str, given: Arguments) -> bool:
    text = text.strip()
    for opening in ("```json", "```Json", "```JSON", "```"):
        text = text.removeprefix(opening)
    try:
        json.loads(text.removesuffix("```").strip())
    except (ValueError, RecursionError):
        return False
    return True


def title(text: str, given: Arguments) -> bool:
    for line in text.split("\n"):
        opened, closed = line.find("<<"), line.rfind(">>")
        if opened >= 0 and closed > opened + 2 and line[opened:closed].strip("<>").strip():
            return True
    return False


def two_responses(text: str, given: Arguments) -> bool:
    parts = [part.strip() for part in text.split("******")]
    if any(not part for part in parts[1:-1]):
        return False
    kept = [part for part in parts if part]
    return len(kept) == 2 and kept[0] != kept[1]


def repeat_prompt(text: str, given: Arguments) -> bool:
    return text.strip().lower().startswith(given["prompt_to_repeat"].strip().lower())


def end_checker(text: str, given: Arguments) -> bool:
    return text.strip().strip('"').lower().endswith(given["end_phrase"].strip().lower())


def quotation(text: str, given: Arguments) -> bool:
    text = text.strip()
    return len(text) > 1 and text[0] == text[-1] == '"'


def capital_word_frequency(text: str, given: Arguments) -> bool:
    return _relation(capital_words(text), given["capital_relation"], given["capital_frequency"])


def english_capital(text: str, given: Arguments) -> bool:
    return text.isupper() and _is_in(text, "en")


def english_lowercase(text: str, given: Arguments) -> bool:
    return text.islower() and _is_in(text, "en")


def response_language(text: str, given: Arguments) -> bool:
    return _is_in(text, given["language"])


def _is_in(text: str, language: str) -> bool:
    """Whether a text is in the language; True, as published, where none can be made out, as of digits alone."""
    import langdetect  # reads its profiles on import's first use: only where languages matter

    langdetect.DetectorFactory.seed = LANGDETECT_SEED
    try:
        return bool(langdetect.detect(text) == language)
    except langdetect.LangDetectException:
        return True


def no_comma(text: str, given: Arguments) -> bool:
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
"""What each instruction must be told; the others need nothing."""
