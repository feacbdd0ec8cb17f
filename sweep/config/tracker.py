"""Where the results of a sweep are shown besides its store: the settings of the group ``tracker``."""

from __future__ import annotations

from dataclasses import dataclass

from train.spec import one_of


@dataclass(frozen=True)
class TrackerConfig:
    """The experiment tracker that a sweep is mirrored to, if any, and its project.

    Of each task, ``items`` answers at most are shown with the scores.
    """

    name: str
    project: str
    entity: str | None
    items: int

    def __post_init__(self) -> None:
        one_of("name", self.name, ("none", "wandb"))
        if self.items < 0:
            raise ValueError(f"items={self.items} must be 0 or more")

    @property
    def mirrors(self) -> bool:
        """Whether there is a place to mirror to."""
        return self.name != "none"

    @property
    def extras(self) -> list[str]:
        """The extras of dosage-llm that mirroring needs."""
        return [self.name] if self.mirrors else []


NO_TRACKER = TrackerConfig("none", "dosage", None, 0)
