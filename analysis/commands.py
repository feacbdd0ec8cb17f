"""``python -m analysis [VERB] key=value ...``: analyse a long table, or fit one law to two of its columns."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from analysis.options import Advise, Analyse, Compare, Fit, Import, Next, Publish, Serve
from analysis.records import result
from common import __version__
from common.json_file import write_json
from common.options import Command, Result, run

USAGE = """\
python -m analysis sweep=NAME                 curves, intervals, verdicts, figures and report.html of a sweep
python -m analysis table=FILE                 the same for a table of your own
python -m analysis VERB [KEY=VALUE ...]
"""

OVERLAP = "overlap.csv"
BESIDE = (OVERLAP, "sweep.json")
"""Files beside the table of a sweep that an analysis also reads."""

SOURCES = (".py", ".js", ".css")
"""Files of this package that results depend on."""


def analyse(options: Analyse) -> Result:
    """Write the analysis, or reuse what an earlier run wrote for the same input; the text for the terminal."""
    tables, items, (out, title) = options.files, options.item_files, options.place
    beside = {name: [file for table in tables if (file := table.with_name(name)).exists()] for name in BESIDE}
    given = f"margin {options.margin:g} weights {sorted(options.weights.items())} x {options.x}"
    given += f" figures {sorted(options.figures)}"
    stamp = f"{digest(*tables, *items, *(file for files in beside.values() for file in files))} {given}"
    if not _fresh(out, stamp):
        # Imported here: pandas, scipy and vl-convert take half a second that a reused analysis saves.
        from analysis.report.write import write

        names = write(
            tables, out, title, options.margin, items, options.weights, beside[OVERLAP], options.x, options.figures
        )
        write_json(out / "analysis.json", {"digest": stamp, "files": names})
    summary = (out / "summary.txt").read_text(encoding="utf-8")
    record = json.loads((out / "verdicts.json").read_text(encoding="utf-8"))
    files = json.loads((out / "analysis.json").read_text(encoding="utf-8"))["files"]
    text = f"{summary}\nall tables: {out / 'table.txt'}\nreport: {out / 'report.html'}\n"
    return result({"folder": str(out), "files": files, **record}, text)


def compare(options: Compare) -> Result:
    """What changed from one sweep or table to another."""
    from analysis.report.comparison import compared

    before, after = options.sides
    items = [*before.item_files, *after.item_files]
    names = before.place[1], after.place[1]
    return compared((before.files[0], after.files[0]), names, items, options.margin)


def serve(options: Serve) -> int:
    """Serve the report of sweeps, and write it again whenever scores have come, until Ctrl-C."""
    from analysis.live.watch import Watched, serve

    analysed = options.analysed
    out, title = analysed.place
    serve(Watched(options.sweep, analysed.root, out, title, lambda: analyse(analysed)), options.port, options.json)
    return 0


def publish(options: Publish) -> Result:
    """Bring sweeps into W&B, finished or not: tables, curves, verdicts, report and dashboards; or write them down."""
    from analysis.live.sweep_verbs import collect
    from analysis.publish.publish import Analysed, publish, write

    analysed = options.analysed

    def renew() -> Analysed:
        collect(options.sweep, analysed.root)
        analyse(analysed)
        origin = {"dosage": __version__, "analysis": digest(*analysed.files, *analysed.item_files)[:16]}
        page = analysed.place[0] / "report.html"
        return Analysed(options.sweep, analysed.files, analysed.item_files, analysed.margin, page, origin)

    if options.dry_run:
        return write(renew, options.entity, options.project, options.workspace, options.folder)
    lines = []
    for line in publish(renew, options.entity, options.project, options.workspace):
        print(line, flush=True)
        lines.append(line)
    return result({"lines": lines})  # which have been printed


def digest(*files: Path) -> str:
    """SHA-256 of what the results depend on: the bytes of tables and items, and this package's source."""
    sums = hashlib.sha256()
    for file in files:
        if not file.exists():
            raise FileNotFoundError(f"there is no file {file}; items= takes a .csv, .csv.gz or .parquet")
        sums.update(file.read_bytes())
    for source in sorted(Path(__file__).parent.rglob("*")):
        if source.suffix in SOURCES:
            sums.update(source.read_bytes())
    return sums.hexdigest()


def _fresh(out: Path, stamp: str) -> bool:
    """Whether ``out`` holds all files of an analysis with this digest."""
    try:
        record = json.loads((out / "analysis.json").read_text(encoding="utf-8"))
        return record["digest"] == stamp and all((out / name).is_file() for name in record["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def advise(options: Advise) -> Result:
    """What to train under a budget, or how earlier advice compares with what was measured."""
    from analysis.advice.text import advice_result, check_result

    if options.budget is not None:
        return advice_result(
            options.files, options.budget, options.weights, options.seed, options.near, options.kl,
            only=options.only, repeats=options.repeats, have=options.have,
        )  # fmt: skip
    assert options.check is not None
    after = replace(options, sweep=options.check) if options.table is None else replace(options, table=options.check[0])
    return check_result(options.files, after.files, options.weights, options.only)


def next_cells(options: Next) -> Result:
    """Which cells to run next."""
    from analysis.advice.text import next_result

    return next_result(options.files, options.quantity, options.only)


def import_table(options: Import) -> Result:
    """Write another tool's table as a long table; what was written."""
    from analysis.data.table_file import write_table
    from analysis.imports.lm_eval import items
    from analysis.imports.mapping import convert, read_mapping
    from analysis.imports.published import published_table

    out, place = Path(options.out), Path(options.items) if options.items else None
    remarks: Sequence[str] = ()
    if options.mapping is None:
        frame = published_table(options.source)
    else:
        imported = convert(options.source, Path(options.mapping))
        frame, remarks = imported.table, imported.remarks
    write_table(frame, out)
    abilities = list(dict.fromkeys(map(str, frame["ability"])))
    samples = None
    if place is not None and options.mapping is not None:
        plan = read_mapping(Path(options.mapping))
        samples = items(Path(options.source), plan.get("tasks", {}), plan.get("metrics", {}))
        write_table(samples, place)
    listed = {} if samples is None else {"items": str(place), "item_rows": len(samples)}
    record = {"table": str(out), "rows": len(frame), "abilities": abilities, "notes": remarks, **listed}
    lines = [*(f"note: {remark}" for remark in remarks), f"{len(frame):,} rows of {', '.join(abilities)} in {out}"]
    lines += [] if samples is None else [f"{len(samples):,} items in {place}"]
    return result(record, "".join(f"{line}\n" for line in lines))


def fit(options: Fit) -> Result:
    """Fit one law to columns of a table; its parameters with intervals."""
    from analysis.fitting.column_fit import describe

    return describe(
        Path(options.table), tuple(options.x), options.y, options.law, options.objective, trials=options.trials,
        group=options.group, delta=options.delta, level=options.level, seed=options.seed,
    )  # fmt: skip


COMMANDS = {
    "": Command(Analyse, "Analyse a long table: curves, intervals, verdicts, figures, a report.", analyse),
    "compare": Command(Compare, "Say what changed from one sweep to another, such as after new data.", compare),
    "serve": Command(Serve, "Show the report of a running sweep in a browser, as new as its scores.", serve),
    "publish": Command(Publish, "Put curves, verdicts, report and dashboards of sweeps into W&B.", publish),
    "advise": Command(Advise, "Say which composition and strategy to train under a budget.", advise),
    "next": Command(Next, "Say which cells to run next, for the most certainty per GPU-hour.", next_cells),
    "import": Command(Import, "Turn a result table of another tool into a long table.", import_table),
    "fit": Command(Fit, "Fit one law to two columns of any table.", fit),
}


def main(words: Sequence[str]) -> int:
    """Run one command; the exit status. What a user can correct is printed as one line, without a traceback."""
    return run("python -m analysis", COMMANDS, words, usage=USAGE)
