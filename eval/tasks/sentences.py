"""Count sentences and words in capitals as the tokenizers of IFEval's published checker do.

Sentences follow Punkt (Kiss and Strunk 2006, 10.1162/coli.2006.32.4.485) with a list of abbreviations, but without its
trained statistics on capitalisation: after an abbreviation, an ellipsis or an initial only a frequent word with a
capital begins a sentence. Words follow the Penn Treebank: clitics and most signs are words of their own.
"""

from __future__ import annotations

import re

SHORT = """
adm ala ariz aug ave bros calif co col colo conn corp cos ct dec dr feb fla fri ft ga gen ill inc jan jr kan ky lt ltd
maj messrs mg mich minn mr mrs ms nev nov oct ok okla ore pa ph.d prof rep reps sen sep sept sr st sw tenn tues va vs vt
wash wed wis yr a.m p.m d.c l.a m.b.a n.c n.d n.h n.j n.y s.c u.k u.n u.s u.s.a u.s.s.r w.va c d e f g h k l m n p r s t
v w
"""
OPENING = """
according although always among between both but despite does even finally furthermore he her here him however i if in
indeed instead into it many meanwhile moreover most nevertheless nonetheless nor note overall please remember separately
she similarly since so some thank the them there therefore these they think this though through thus under us were when
which while yes yet your
"""
ABBREVIATIONS, FREQUENT = frozenset(SHORT.split()), frozenset(OPENING.split())
CLOSING = "\u2018\u2019\u201c\u201d\xab\xbb"
END = re.compile(rf"[.?!](?=[)\";}}\]*:@'({{\[!?{CLOSING}]|\s+(\S))")
CLOSED = re.compile(rf"[\"')\]}}{CLOSING}]+(?:\s+|(?=--)|$)", re.MULTILINE)
PARTS = re.compile(r"[)\";}\]*:@'({\[!?]|-{2,}|\.{2,}")
WITHIN = re.compile(rf"[?!]\S|\w\.[)\";}}\]*:@'({{\[!?,{CLOSING}]")
NUMBER = re.compile(r"-?[.,]?[0-9][0-9,.-]*")
WINDOW = 200  # characters examined before a full stop; no abbreviation has more

SIGNS = re.compile(
    r"[\s\"`\u00ab\u00bb\u2018\u2019\u201c\u201d\u201e\u2012-\u2015\[\](){}<>;@#$%&?!*]|--|\.{2,}|''|[:,](?![0-9])"
    r"|(?<!\w)'(?!(?i:re|ve|ll|m|t|s|d|n)\b)(?=\w)|'(?=\s|$)"
)
CLITIC = re.compile(r"(?<=[^' ])('[sSmMdD]|'ll|'LL|'re|'RE|'ve|'VE|n't|N'T)(?= )")
JOINED = re.compile(
    r"(?i)\b(can(?=not\b)|d(?='ye\b)|gim(?=me\b)|gon(?=na\b)|got(?=ta\b)|lem(?=me\b)|wan(?=na ))|(?<= 't)(?=is\b|was\b)"
)


def count_sentences(text: str) -> int:
    """The number of sentences. The last one need not have an end."""
    text = text.rstrip()
    # The last sentence has no end to count, so counting starts at 1.
    count, start = int(bool(text)), 0
    for match in _ends(text):
        if _breaks(text, start, match):
            rest = match.end() if match[1] is None else match.start(1)
            closed = CLOSED.match(text, rest)
            start = closed.end() if closed else rest
            count += start < len(text)
    return count


def capital_words(text: str) -> int:
    """The number of words in capitals."""
    plain = JOINED.sub(r"\1 ", CLITIC.sub(r" \1", f" {SIGNS.sub(' ', text)} "))
    return sum(word.isupper() for word in plain.split())


def _ends(text: str) -> list[re.Match[str]]:
    """The places where a sentence may end. Of several signs in one word only the last one counts."""
    signs = list(END.finditer(text))
    following = [match.start() for match in signs[1:]]
    last_in_word = [m for m, end in zip(signs, following, strict=False) if any(map(str.isspace, text[m.end() : end]))]
    return last_in_word + signs[-1:]


def _breaks(text: str, start: int, match: re.Match[str]) -> bool:
    """Whether the sign of ``match`` ends the sentence that began at ``start``."""
    word = text[max(start, match.start() - WINDOW) : match.start()]
    word = "" if word[-1:].isspace() else (word.split() or [""])[-1]
    if match[0] != "." or "?" in word or "!" in word or not word:
        return True
    following = text[match.start(1) : match.start(1) + WINDOW].split()[0] if match[1] else text[match.end()]
    return _stops(PARTS.split(word)[-1].lower(), word.endswith("."), following)


def _stops(word: str, ellipsis: bool, following: str) -> bool:
    """Whether a full stop between ``word``, in lower case, and the text ``following`` ends a sentence."""
    first, next_word = following[0], re.split(r"\W", following.lower(), maxsplit=1)[0]
    if WITHIN.search(following):  # a quirk of Punkt: an end inside the following word is taken for this one
        return True
    if ellipsis or (len(word) > 1 and {word, word.rpartition("-")[2]} & ABBREVIATIONS):
        return first.isupper() and next_word in FREQUENT
    # A single letter is an initial, as in J. Smith.
    if len(word) == 1 and word.isalpha():
        begins = next_word in FREQUENT or (len(next_word) == 1 and next_word not in ABBREVIATIONS)
        return word not in ABBREVIATIONS and not first.islower() and (begins or not first.isupper())
    if NUMBER.fullmatch(word):
        return not first.islower() and first not in ";:,.!?"
    return True
