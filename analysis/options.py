"""What the commands of ``python -m analysis`` take: one class of options a verb."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.in_store import InStore
from common.options import AsJson, option
from common.sweep_name import check_sweep_name

TABLE = (
    "a long table of your own, .csv or .parquet, with the columns ability, task, metric, value; optional: n_items, "
    "stderr, seed, params, model, strategy, sweep, cell, kind, better, low, high (of the metric), and one column per "
    "factor, such as samples, fraction, replay"
)
ONLY = "which model, and which value of each further factor, such as {model: micro_s, data: filtered}"
ONLY_DEFAULT = "the largest model; of a further factor what most rows have"
WEIGHTS = "what each ability counts, such as {math: 1, code: 2}"


@dataclass(frozen=True, kw_only=True)
class Tables(InStore):
    """Where the measurements are: collected sweeps, or a table."""

    sweep: list[str] | None = option("collected sweeps, analysed together", None)
    table: str | None = option(TABLE, None)

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.sweep is None) == (self.table is None):
            raise ValueError("give either sweep=NAME or table=FILE, for example: python -m analysis sweep=data_amount")

    @property
    def folders(self) -> list[Path]:
        """The folders of the sweeps in the store."""
        return [self.root / "sweeps" / check_sweep_name(name) for name in self.sweep or ()]

    @property
    def files(self) -> list[Path]:
        """The tables. Raises FileNotFoundError that names the missing one and the remedy."""
        if self.table is None:
            return [_table_of(folder) for folder in self.folders]
        if not Path(self.table).exists():
            raise FileNotFoundError(f"there is no table {self.table}; give table=FILE.csv or table=FILE.parquet")
        if Path(self.table).is_dir():
            raise ValueError(f"table={self.table} is a folder; give the file, .csv or .parquet")
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
    x: str = option(
        "what curves are along: samples of the ability, or what a whole cell costs: tokens, flops or hours", "samples"
    )
    figures: list[str] = option(
        "formats of the files in figures/ beside SVG: png, pdf", [], choices=("png", "pdf"), default_text="SVG alone"
    )
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
class Compare(InStore):
    """Options of ``python -m analysis compare``."""

    sweep: list[str] | None = option("two sweeps, the earlier one first", None)
    table: list[str] | None = option("two tables instead, .csv or .parquet", None)
    margin: float = option("the difference that matters: relative for a loss, else of the metric's range", 0.02)

    def __post_init__(self) -> None:
        super().__post_init__()
        given = self.sweep or self.table or []
        if (self.sweep is None) == (self.table is None) or len(given) != 2 or given[0] == given[1]:
            raise ValueError("give two sweeps or two tables, for example: python -m analysis compare sweep=OLD,NEW")

    @property
    def sides(self) -> list[Analyse]:
        """What is compared: the earlier, then the later."""
        if self.table is not None:
            return [Analyse(table=table) for table in self.table]
        return [Analyse(sweep=[name], store=self.store) for name in self.sweep or ()]


@dataclass(frozen=True, kw_only=True)
class Sweeps(InStore):
    """Sweeps that need not be finished."""

    sweep: list[str] = option("sweeps, finished or not, analysed together")

    @property
    def analysed(self) -> Analyse:
        """Their analysis."""
        return Analyse(sweep=self.sweep, store=self.store)


@dataclass(frozen=True, kw_only=True)
class Serve(Sweeps):
    """Options of ``python -m analysis serve``."""

    port: int = option("of 127.0.0.1, where the report is served; 0: any that is free", 8000)


@dataclass(frozen=True, kw_only=True)
class Publish(Sweeps):
    """Options of ``python -m analysis publish``."""

    project: str = option("of W&B", "dosage")
    entity: str | None = option("the user or team of W&B that has the project", None, default_text="that of the key")
    workspace: str = option("the name of the workspace that is written", "", default_text="the sweeps' names")
    dry_run: bool = option("write everything to a folder; needs no key and no network", False)
    out: str | None = option("the folder of dry_run=true", None, default_text="the sweep's folder /publish")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.out is not None and not self.dry_run:
            raise ValueError(f"out={self.out} is the folder of dry_run=true; give both, or neither")

    @property
    def folder(self) -> Path:
        """Where a dry run writes."""
        return Path(self.out) if self.out else self.analysed.place[0].with_name("publish")


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
    repeats: float = option("how many times an epoch a composition may show each sample that exists", 1.0)
    have: dict[str, float] = option(
        "how many samples exist, such as {math: 7473}", {}, default_text="as the table's fractions tell"
    )
    only: dict[str, str] = option(ONLY, {}, default_text=ONLY_DEFAULT)
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
    only: dict[str, str] = option(ONLY, {}, default_text=ONLY_DEFAULT)


@dataclass(frozen=True, kw_only=True)
class Import(AsJson):
    """Options of ``python -m analysis import``."""

    source: str = option(
        "a .csv or .parquet; results of lm-eval (file or folder); of W&B an exported .csv, a folder of offline runs, "
        "or wandb:ENTITY/PROJECT; what publish wrote: wandb:ENTITY/PROJECT/RUN, or the folder of its dry run",
        key="from",
    )
    mapping: str | None = option(
        "a YAML file: columns: {ability: COLUMN, ...}, constants: {metric: accuracy, ...}, wide: {columns: '[0-9]+', "
        "to: samples}, measures: {COLUMN: {ability: math, task: gsm8k}}, scale: 0.01, tasks: {gsm8k: math}, metrics: "
        "{gsm8k: exact_match}, drop: ['system.*']",
        None,
        default_text="none, for what publish wrote",
    )
    out: str = option("the long table to write, .csv or .parquet")
    items: str | None = option("also write the samples that lm-eval logged as items, .csv.gz or .parquet", None)

    def __post_init__(self) -> None:
        if not self.out.endswith((".csv", ".parquet")):
            raise ValueError(f"out={self.out} must end in .csv or .parquet")


@dataclass(frozen=True, kw_only=True)
class Fit(AsJson):
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


def _table_of(folder: Path) -> Path:
    """The table in the folder of a sweep."""
    for file in ("table.parquet", "table.csv"):
        if (folder / file).exists():
            return folder / file
    name = folder.name
    if not folder.exists():
        others = ", ".join(sorted(path.name for path in folder.parent.glob("*"))) or "none yet"
        raise FileNotFoundError(f"no sweep {name!r} in {folder.parent}, which has {others}; give its name and store=")
    raise FileNotFoundError(
        f"sweep {name!r} has no table in {folder}; collect it first: "
        f"python -m sweep collect name={name} store={folder.parents[1]}"
    )
