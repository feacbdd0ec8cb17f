"""Open questions of the user's own that a judge grades, read and aggregated as those of MT-Bench are."""

from __future__ import annotations

from dataclasses import replace

from eval.tasks import mtbench

FORMS = {"chat": replace(mtbench.FORMS["chat"], items=mtbench.items)}
