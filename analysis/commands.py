"""``python -m analysis [VERB] key=value ...``: analyse a long table, or fit one law to two of its columns."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.json_file import write_json
from common.options import Command, option, run
from common.sweep_name import check_sweep_name

USAGE = """\
python -m analysis sweep=NAME                 curves, intervals, verdicts, figures and report.html of a sweep
python -m analysis table=FILE                 the same for a table of your own
python -m analysis VERB [KEY=VALUE ...]
"""

TABLE = (
    "a long table of your own, .csv or .parquet, with the columns ability, task, metric, value; optional: n_items, "
    "stderr, seed, params, model, strategy, sweep, cell, kind, better, low, high (of the metric), and one column per "
    "factor, such as samples, fraction, replay"
)
WEIGHTS = "what each ability counts, such as {math: 1, code: 2}"


@dataclass(frozen=True, kw_only=True)
class Tables:
    """Where the measurements are: collected sweeps, or a table."""

    sweep: list[str] | None = option("collected sweeps, analysed together", None)
    table: str | None = option(TABLE, None)
    store: str | None = option("the folder of all results", None, default_text="$DOSAGE_STORE, else ./store")

    def __post_init__(self) -> None:
        if (self.sweep is None) == (self.table is None):
            raise ValueError("give either sweep=NAME or table=FILE, for example: python -m analysis sweep=data_amount")

    @property
    def folders(self) -> list[Path]:
        """The folders of the sweeps in the store."""
        store = Path(self.store or os.environ.get("DOSAGE_STORE") or "store")
        return [store / "sweeps" / check_sweep_name(name) for name in self.sweep or ()]

    @property
    def files(self) -> list[Path]:
        """The tables. Raises FileNotFoundError that names the missing one and the remedy."""
        if self.table is None:
            return [_table_of(folder) for folder in self.folders]
        if not Path(self.table).exists():
            raise FileNotFoundError(f"there is no table {self.table}; give table=FILE.csv or table=FILE.parquet")
        return [Path(self.table)]


@dataclass(frozen=True, kw_only=True)
class Analyse(Tables):
    """Options of ``python -m analysis`` without a verb."""

    items: str | None = option(
        "per-item results that go with table=: the column item, value, and columns of the table that tell its rows "
        "apart; a sweep has its own",
        None,
    )
    margin: float = option(
        "the difference that matters to verdicts: relative for a loss, else of the metric's range", 0.02
    )
    weights: dict[str, float] = option(f"{WEIGHTS}, in the search for the best replay", {}, default_text="all alike")
    out: str | None = option(
        "the folder of results", None, default_text="the sweep's folder /analysis, or FILE's name with -analysis"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.items is not None and self.table is None:
            raise ValueError(f"items={self.items} goes with table=FILE; a sweep has its items beside its table")

    @property
    def item_files(self) -> list[Path]:
        """The files of items that exist."""
        if self.items is not None:
            return [Path(self.items)]
        return [file for folder in self.folders if (file := folder / "items.parquet").exists()]

    @property
    def place(self) -> tuple[Path, str]:
        """The folder for results and the report's title."""
        if self.table is not None:
            table = Path(self.table)
            return Path(self.out or table.with_name(table.stem + "-analysis")), table.stem
        title = "+".join(folder.name for folder in self.folders)
        return Path(self.out or self.folders[0].with_name(title) / "analysis"), title


@dataclass(frozen=True, kw_only=True)
class Advise(Tables):
    """Options of ``python -m analysis advise``."""

    budget: str | None = option(
        "the most samples to train on, all abilities together; or with a unit that the table has a column of: "
        "'2 hours', '3e15 flops', '1e6 tokens'",
        None,
    )
    check: list[str] | None = option(
        "instead of a budget: sweeps (with table=, a file) whose cells are predicted from the table and compared with "
        "what they measured",
        None,
    )
    weights: dict[str, float] = option(WEIGHTS, {}, default_text="all alike")
    near: dict[str, float] = option(
        "a mixture to stay near to, such as {math: 0.3, code: 0.2, general: 0.5}", {}, default_text="none"
    )
    kl: float = option("how far from near= a mixture may be, as Kullback-Leibler distance in nats", 0.1)
    seed: int = option("of the draws behind the intervals", 0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.budget is None) == (self.check is None):
            raise ValueError(
                "advise needs either budget= or check=, for example: python -m analysis advise sweep=NAME budget=20000"
            )


@dataclass(frozen=True, kw_only=True)
class Next(Tables):
    """Options of ``python -m analysis next``."""

    quantity: str = option(
        "what should become more certain: a curve, such as math, or one point of it, as math@4096; or how much data a "
        "score takes, as math=90% or math:loss=1.2"
    )


@dataclass(frozen=True)
class Import:
    """Options of ``python -m analysis import``."""

    source: str = option(
        "a .csv or .parquet; results of lm-eval (file or folder); of W&B an exported .csv, a folder of offline runs, "
        "or wandb:ENTITY/PROJECT",
        key="from",
    )
    mapping: str = option(
        "a YAML file: columns: {ability: COLUMN, ...}, constants: {metric: accuracy, ...}, wide: {columns: '[0-9]+', "
        "to: samples}, measures: {COLUMN: {ability: math, task: gsm8k}}, scale: 0.01, tasks: {gsm8k: math}, metrics: "
        "{gsm8k: exact_match}, drop: ['system.*']"
    )
    out: str = option("the long table to write, .csv or .parquet")
    items: str | None = option("also write the samples that lm-eval logged as items, .csv.gz or .parquet", None)

    def __post_init__(self) -> None:
        if not self.out.endswith((".csv", ".parquet")):
            raise ValueError(f"out={self.out} must end in .csv or .parquet")


@dataclass(frozen=True)
class Fit:
    """Options of ``python -m analysis fit``."""

    table: str = option("any table, .csv or .parquet")
    x: list[str] = option("the column of amounts; two columns for law=additive")
    y: str = option("the column of the loss or score")
    law: str = option("the law to fit", "bounded")
    objective: str = option("log, huber_log, least_squares or quasibinomial", "log")
    trials: str | None = option("the column with the number of items behind each score (quasibinomial)", None)
    group: str | None = option("the column of the seed or run", None)
    delta: float = option("where huber_log changes from squared to absolute residuals", 1e-3)
    level: float = option("of the intervals", 0.95)
    seed: int = option("of the random starts", 0)


def analyse(options: Analyse) -> str:
    """Write the analysis, or reuse what an earlier run wrote for the same input; the text for the terminal."""
    tables, items, (out, title) = options.files, options.item_files, options.place
    overlaps = [file for table in tables if (file := table.with_name("overlap.csv")).exists()]
    stamp = f"{digest(*tables, *items, *overlaps)} margin {options.margin:g} weights {sorted(options.weights.items())}"
    if not _fresh(out, stamp):
        # Imported here: pandas, scipy and matplotlib take half a second that a reused analysis saves.
        from analysis.report.write import write

        names = write(tables, out, title, options.margin, items, options.weights, overlaps)
        write_json(out / "analysis.json", {"digest": stamp, "files": names})
    return f"{(out / 'table.txt').read_text(encoding='utf-8')}\nreport: {out / 'report.html'}\n"


def _table_of(folder: Path) -> Path:
    """The table in the folder of a sweep."""
    for file in ("table.parquet", "table.csv"):
        if (folder / file).exists():
            return folder / file
    name = folder.name
    raise FileNotFoundError(
        f"sweep {name!r} has no table in {folder}; collect it first: python -m sweep collect name={name}"
    )


def digest(*files: Path) -> str:
    """SHA-256 of what the results depend on: the bytes of tables and items, and this package's source."""
    sums = hashlib.sha256()
    for file in files:
        if not file.exists():
            raise FileNotFoundError(f"there is no file {file}; items= takes a .csv, .csv.gz or .parquet")
        sums.update(file.read_bytes())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        sums.update(source.read_bytes())
    return sums.hexdigest()


def _fresh(out: Path, stamp: str) -> bool:
    """Whether ``out`` holds all files of an analysis with this digest."""
    try:
        record = json.loads((out / "analysis.json").read_text(encoding="utf-8"))
        return record["digest"] == stamp and all((out / name).is_file() for name in record["files"])
    except (OSError, ValueError, KeyError, TypeError):
        return False


def advise(options: Advise) -> str:
    """What to train under a budget, or how earlier advice compares with what was measured, as text."""
    from analysis.advice.text import advice_text, check_text

    if options.budget is not None:
        return advice_text(options.files, options.budget, options.weights, options.seed, options.near, options.kl)
    assert options.check is not None
    after = replace(options, sweep=options.check) if options.table is None else replace(options, table=options.check[0])
    return check_text(options.files, after.files, options.weights)


def next_cells(options: Next) -> str:
    """Which cells to run next, as text."""
    from analysis.advice.text import next_text

    return next_text(options.files, options.quantity)


def import_table(options: Import) -> str:
    """Write another tool's table as a long table; what was written, as text."""
    from analysis.data.table_file import write_table
    from analysis.imports.lm_eval import items
    from analysis.imports.mapping import convert, read_mapping

    out = Path(options.out)
    imported = convert(options.source, Path(options.mapping))
    frame = imported.table
    write_table(frame, out)
    written = "".join(f"note: {remark}\n" for remark in imported.remarks)
    written += f"{len(frame):,} rows of {', '.join(dict.fromkeys(frame['ability']))} in {out}\n"
    if options.items is None:
        return written
    plan, place = read_mapping(Path(options.mapping)), Path(options.items)
    samples = items(Path(options.source), plan.get("tasks", {}), plan.get("metrics", {}))
    write_table(samples, place)
    return f"{written}{len(samples):,} items in {place}\n"


def fit(options: Fit) -> str:
    """Fit one law to columns of a table; its parameters with intervals, as text."""
    from analysis.fitting.column_fit import describe

    return describe(
        Path(options.table), tuple(options.x), options.y, options.law, options.objective, trials=options.trials,
        group=options.group, delta=options.delta, level=options.level, seed=options.seed,
    )  # fmt: skip


COMMANDS = {
    "": Command(Analyse, "Analyse a long table: curves, intervals, verdicts, figures, a report.", analyse),
    "advise": Command(Advise, "Say which composition and strategy to train under a budget.", advise),
    "next": Command(Next, "Say which cells to run next, for the most certainty per GPU-hour.", next_cells),
    "import": Command(Import, "Turn a result table of another tool into a long table.", import_table),
    "fit": Command(Fit, "Fit one law to two columns of any table.", fit),
}


def main(words: Sequence[str]) -> int:
    """Run one command; the exit status. What a user can correct is printed as one line, without a traceback."""
    return run("python -m analysis", COMMANDS, words, usage=USAGE)
