"""Harmless ways to word the last line of a solution: {n} is its number, {s} the same with commas, {t} with {gap}s."""

from __future__ import annotations

WORDINGS = {
    "native": "#### {n}",
    "separated": "#### {s}",
    "phrase": "The answer is {n}",
    "phrase and stop": "The answer is {n}.",
    "money": "The answer is ${s}.",
    "bold": "The answer is **{n}**.",
    "boxed": "So we get $\\boxed{{{n}}}$.",
    "cents": "The total is ${n}.00.",
    "ellipsis": "That leaves {n}...",
    "chatter": "#### {n}\nI hope this helps. It took 3 steps.",
    "unit": "the answer is {n} apples",
    "bare": "{n}",
    "marked, with a unit": "#### {n} apples",
    "marked and bold": "#### **{n}**",
    "marked without a space": "####{n}",
    "marked money": "#### ${s}",
    "euros": "The answer is {n} €.",
    "euros before": "Answer: €{s}",
    "percent": "The answer is {n}%.",
    "degrees": "The answer is {n}°.",
    "equation": "x = {n}",
    "worked equation": "So the answer is 10 - 3 + 1 - 8 + {n} = {n}.",
    "answer on a line of its own": "The final answer is:\n\n{n}",
    "heading": "**Answer:** {n}",
    "heading in bold with a unit": "**Final Answer: {n} apples**",
    "code": "The answer is `{n}`.",
    "italic": "The answer is _{n}_.",
    "quotation": 'The answer is "{n}".',
    "bracket": "The answer is ({n}).",
    "display": "Therefore\n$$\nx = {n}\n$$",
    "boxed with dollars": "$$\\boxed{{\\${n}}}$$",
    "boxed with text": "\\[ \\boxed{{{n}\\text{{ apples}}}} \\]",
    "boxed with grouping": "Thus \\boxed{{{latex}}}.",
    "thin spaces": "The answer is {thin}.",
    "no-break spaces": "The answer is {nobreak} apples.",
    "marked thin spaces": "#### {thin}",
    "minus sign": "The answer is {minus}.",
    "marked minus sign": "#### {minus}",
    "therefore": "Therefore, the answer is therefore {n}!",
    "before the phrase": "Hence {n} is the answer.",
    "chatter after a phrase": "The answer is {n}. Let me know if you have any other question!",
    "reason after a phrase": "The answer is {n}, because 7 of 9 are gone.",
    "trailing spaces": "#### {n}   \n\n",
    "decimals": "#### {n}.0",
    "lower case": "answer: {n}",
    "equals": "ANSWER = {n}",
}


def worded(form: str, number: int) -> str:
    """The last line of a solution in that wording."""
    return WORDINGS[form].format(
        n=number, s=f"{number:,}", latex=f"{number:,}".replace(",", "{,}"), thin=f"{number:,}".replace(",", "\u2009"),
        nobreak=f"{number:,}".replace(",", "\u202f"), minus=f"{number:,}".replace("-", "\u2212"),
    )  # fmt: skip
