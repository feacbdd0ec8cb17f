"""Keep a served report as new as the scores in the store."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from analysis.live.pages import waiting
from analysis.live.runs import Runs
from analysis.live.server import HOST, Shown, page_server
from analysis.live.sweep_verbs import cells, collect

REST = 10.0
"""How much longer the watch rests than it has worked, so that it takes little from the sweep."""
SHORTEST_REST, LONGEST_REST = 2.0, 30.0  # seconds
WAITS = "The report comes with the first scores."
PLANNED = "The sweep is being planned: its samples are counted, then its cells start. " + WAITS


@dataclass(frozen=True)
class Watched:
    """Sweeps of a store, the folder of their analysis, its title, and what writes report.html there from the tables."""

    names: Sequence[str]
    store: Path
    folder: Path
    title: str
    analyse: Callable[[], object]

    @property
    def plans(self) -> list[Path]:
        """The files that list the cells of the sweeps, once these have been planned."""
        return [self.store / "sweeps" / name / "sweep.json" for name in self.names]

    @property
    def stamp(self) -> tuple[int, ...]:
        """Another value once a score has been published, or one of the sweeps has been planned anew."""
        return tuple(file.stat().st_mtime_ns if file.exists() else 0 for file in (self.store / "score", *self.plans))


def serve(watched: Watched, port: int, as_json: bool = False) -> None:
    """Serve the report at 127.0.0.1:``port``, written again whenever scores have come, until Ctrl-C.

    Raises ValueError where there is no such sweep, or the port cannot be used.
    """
    listing = cells(watched.names, watched.store)
    first = _waiting(watched, "", listing, "The state of the sweep is being read.")
    try:
        with page_server(port, watched.folder, first) as server:
            url = f"http://{HOST}:{server.server_port}/"
            line = (
                json.dumps({"title": watched.title, "url": url}) if as_json else f"{watched.title}: {url} until Ctrl-C"
            )
            # What else a verb prints goes to standard error with json=true.
            print(line, file=sys.__stdout__ if as_json else None, flush=True)
            stamp, runs = tuple[int, ...](), Runs(watched.plans)
            while True:
                started = time.monotonic()
                newest = watched.stamp
                server.shown = look(
                    watched, server.shown, runs.part(), changed=newest != stamp or not server.shown.line
                )
                stamp = newest
                time.sleep(min(LONGEST_REST, max(SHORTEST_REST, REST * (time.monotonic() - started))))
    except KeyboardInterrupt:
        print("stopped", flush=True)


def look(watched: Watched, shown: Shown, runs: str, *, changed: bool) -> Shown:
    """What to show now; ``runs``, the training runs as HTML, on a page of their own and below a page that waits."""
    page = waiting(f"{watched.title}: training", "All runs that have begun.", "", runs) if runs else ""
    return replace(_main_page(watched, shown, runs, changed=changed), training=page)


def _main_page(watched: Watched, shown: Shown, runs: str, *, changed: bool) -> Shown:
    """A new report where scores have come, else the same page with the sweep's state of today.

    A page without a line says that there is no such sweep any more.
    """
    wait = partial(_waiting, watched, runs)
    try:
        listing = cells(watched.names, watched.store)
    except ValueError as problem:  # a sweep whose planning has ended in an error, or that was removed
        return wait("", f"Nothing to show: {problem}.")
    if not all(file.exists() for file in watched.plans):
        return wait(listing, PLANNED)
    if not changed:
        return _report(shown.page, listing, shown) if shown.written else wait(listing, shown.reason)
    try:
        collect(watched.names, watched.store)
        if not _rows(watched):
            return wait(listing, WAITS)
        watched.analyse()
    except ValueError as problem:  # a table that allows no analysis yet
        reason = f"The scores so far allow no report: {problem}"
        older = replace(shown, reason=f". {reason}")
        return _report(shown.page, listing, older) if shown.written else wait(listing, reason)
    page = (watched.folder / "report.html").read_text(encoding="utf-8")
    return _report(page, listing, Shown("", "", time.strftime("%H:%M:%S")))


def _rows(watched: Watched) -> int:
    """The number of measurements in the tables."""
    from pyarrow import parquet

    tables = (watched.store / "sweeps" / name / "table.parquet" for name in watched.names)
    return sum(parquet.read_metadata(table).num_rows for table in tables)


def _report(page: str, listing: str, shown: Shown) -> Shown:
    return replace(shown, page=page, line=f"{_headline(listing)}. Report of {shown.written}{shown.reason}")


def _waiting(watched: Watched, runs: str, listing: str, reason: str) -> Shown:
    return Shown(waiting(watched.title, reason, listing, runs), _headline(listing), reason=reason)


def _headline(listing: str) -> str:
    """The lines of a listing that are about whole sweeps."""
    return "; ".join(line for line in listing.splitlines() if line and not line.startswith(" "))
