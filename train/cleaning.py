"""Named steps that clean conversations before they are checked, after FastChat's and the study's preparation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Turn:
    """One turn as it stands in a row: the ``field`` of its text, and what the row says about it.

    ``role`` is '' for a ``speaker`` that is not known, whose field ``field`` then is; ``content`` is None for a null.
    ``trained`` is False for a turn with weight 0. ``tool_calls`` is the JSON text of the calls, '' for none.
    """

    role: str
    content: str | None
    field: str
    speaker: str = ""
    trained: bool = True
    tool_calls: str = ""

    @property
    def empty(self) -> bool:
        """Whether the turn says and calls nothing."""
        return not (self.content and self.content.strip()) and not self.tool_calls


class LeftOut(Exception):
    """A row that a step of the cleaning leaves out."""

    def __init__(self, step: str) -> None:
        super().__init__(step)
        self.step = step


@dataclass
class Cleaner:
    """Applies ``steps`` to conversations, in order; ``changed`` counts the conversations that each one changed."""

    steps: tuple[str, ...] = ()
    changed: Counter[str] = field(default_factory=Counter)

    def clean(self, turns: list[Turn]) -> list[Turn]:
        """The cleaned conversation. Raises `LeftOut` where a step leaves it out."""
        for step in self.steps:
            cleaned = STEPS[step](turns)
            if cleaned is None:
                raise LeftOut(step)
            self.changed[step] += cleaned != turns
            turns = cleaned
        return turns

    def check_special(self, texts: Iterable[str], special: Iterable[str]) -> None:
        """With the step drop_special_tokens raise `LeftOut` for a text that holds one of the ``special`` tokens."""
        if "drop_special_tokens" in self.steps and any(token in text for text in texts for token in special):
            raise LeftOut("drop_special_tokens")


def drop_unknown_speakers(turns: list[Turn]) -> list[Turn] | None:
    """Leave out a conversation in which somebody else than user, assistant, system and tool speaks."""
    return turns if all(turn.role for turn in turns) else None


def drop_empty_turns(turns: list[Turn]) -> list[Turn]:
    """Remove turns without text."""
    return [turn for turn in turns if not turn.empty]


def drop_leading_assistant(turns: list[Turn]) -> list[Turn]:
    """Remove what the assistant says before the user's first turn."""
    first = next((number for number, turn in enumerate(turns) if turn.role == "user"), len(turns))
    return [turn for number, turn in enumerate(turns) if number >= first or turn.role != "assistant"]


def merge_consecutive_turns(turns: list[Turn]) -> list[Turn]:
    """Join turns of the user or of the assistant that follow one another, with a blank line between their texts."""
    merged: list[Turn] = []
    for turn in turns:
        last = merged[-1] if merged else None
        if (
            last is not None
            and turn.role in ("user", "assistant")
            and (turn.role, turn.trained, turn.tool_calls, "") == (last.role, last.trained, "", last.tool_calls)
        ):
            merged[-1] = replace(last, content=f"{last.content or ''}\n\n{turn.content or ''}")
        else:
            merged.append(turn)
    return merged


def drop_unordered_conversations(turns: list[Turn]) -> list[Turn] | None:
    """Leave out a conversation whose turns are not in order, such as one with two of the user in a row."""
    return None if turns and turns[0].role != "text" and order_problem(turns) else turns


def order_problem(turns: list[Turn]) -> str:
    """What is wrong with the order of turns: user and assistant alternate, user first, after at most one system turn.

    Between a tool call and the next answer stand the results of the tools. '' for nothing.
    """
    expected, called = "user", False
    for number, turn in enumerate((t for t in turns if t.role != "system"), start=1):
        is_result = turn.role == "tool" and called
        if turn.role != expected and not is_result:
            return f"turn {number} is from the {turn.role or turn.speaker}, expected the {expected}"
        called = is_result or bool(turn.tool_calls)
        expected = "user" if turn.role == "assistant" else "assistant"
    return "has a system turn that is not the first" if any(turn.role == "system" for turn in turns[1:]) else ""


def drop_empty_conversations(turns: list[Turn]) -> list[Turn] | None:
    """Leave out a conversation without an answer to anything, and a blank text."""
    asked = False
    for turn in turns:
        if not turn.empty and (turn.role == "text" or (asked and turn.role == "assistant")):
            return turns
        asked = asked or (turn.role == "user" and not turn.empty)
    return None


def drop_special_tokens(turns: list[Turn]) -> list[Turn]:
    """Leave out a conversation whose text holds a special token; `Cleaner.check_special` does it, with a tokenizer."""
    return turns


STEPS: dict[str, Callable[[list[Turn]], list[Turn] | None]] = {
    "drop_unknown_speakers": drop_unknown_speakers, "drop_empty_turns": drop_empty_turns,
    "drop_leading_assistant": drop_leading_assistant, "merge_consecutive_turns": merge_consecutive_turns,
    "drop_unordered_conversations": drop_unordered_conversations,
    "drop_empty_conversations": drop_empty_conversations, "drop_special_tokens": drop_special_tokens,
}  # fmt: skip
"""The function of each step of `train.spec.CLEANING`; None leaves the conversation out."""
