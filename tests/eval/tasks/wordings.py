"""Harmless ways to word the last line of a solution, and to state an expression."""

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
"""{n} is the number of the solution, {s} the same with commas; the others are other ways to write it."""


def worded(form: str, number: int) -> str:
    """The last line of a solution in that wording."""
    return WORDINGS[form].format(
        n=number, s=f"{number:,}", latex=f"{number:,}".replace(",", "{,}"), thin=f"{number:,}".replace(",", "\u2009"),
        nobreak=f"{number:,}".replace(",", "\u202f"), minus=f"{number:,}".replace("-", "\u2212"),
    )  # fmt: skip


EXPRESSIONS = (
    "\\frac{1}{2}", "x^2+2x+1", "2\\sqrt{2}", "(1,2)", "\\{1,2\\}", "3\\pi", "1000", "\\text{Evelyn}", "90^\\circ",
    "10\\%", "(-\\infty, 3]", "x=4", "\\begin{pmatrix} 1 \\\\ 2 \\end{pmatrix}", "\\$32,\\!348", "17", "\\text{(C)}",
    "-2+7i", "1,-2",
)  # fmt: skip
"""Answers as they stand in MATH."""

EXPRESSION_FORMS = (
    "So the result is \\boxed{%s}.",
    "Thus\n\\[\n\\boxed{%s}\n\\]",
    "It is $\\fbox{%s}$.",
    "**Final Answer:** $\\boxed{%s}$",
    "Final Answer: The final answer is $%s$. I hope it is correct.",
    "**Answer:** $%s$",
    "The answer is \\(%s\\).",
    "The answer is:\n$$%s$$",
    "## Final answer\n$%s$",
    "Since $3+4=7$, the answer is $%s$.",
    "The answer is %s",
    "Answer: %s",
    "#### %s",
    "The answer is **%s**.",
    "The answer is `%s`.",
    "With $a=3$, no, \\boxed{7}, no: $x=\\boxed{%s}$",
)
"""Harmless ways to state such an answer."""
