"""`python -m analysis [verb] key=value ...`: analyse a long table, or fit one law to two of its columns."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":
    # Python searches the current folder first: a common.py there would hide the package of that name.
    if (here := Path.cwd()) != Path(__file__).resolve().parents[1]:
        sys.path[:] = [place for place in sys.path if place not in ("", str(here))]
    from common.start import own_packages

    own_packages()

HELP = """\
python -m analysis sweep=NAME | table=FILE     curves, intervals, figures and report.html for a long table
  sweep=NAME[,NAME]  collected sweeps: store/sweeps/NAME/table.parquet (or table.csv), with items.parquet, overlap.csv
  store=PATH         where sweeps lie (default: $DOSAGE_STORE, else ./store)
  table=FILE         a long table of your own, .csv or .parquet: columns ability, task, metric, value; optional
                     n_items, stderr, seed, params, model, strategy, sweep, cell; one column per factor, such as
                     samples, fraction, replay
  items=FILE         per-item results that go with table=: item, value and columns that the table has too
  margin=NUMBER      the difference that matters to verdicts: of a score, or relative of a loss (default 0.02)
  weights=WEIGHTS    what each ability counts for the best replay, such as '{math: 1, code: 2}' (default: all alike)
  out=DIR            where results go (default: the sweep's folder /analysis, or FILE's name with -analysis)

python -m analysis advise sweep=NAME | table=FILE budget=SAMPLES     the composition and strategy to train
  budget=SAMPLES     at most so many, all abilities together
  weights=WEIGHTS    what each ability counts, such as '{math: 1, code: 2}' (default: all alike)
  check=NAME[,NAME]  instead of a budget: sweeps whose cells are predicted from the table and compared with what they
                     measured; with table=, a file

python -m analysis next sweep=NAME | table=FILE quantity=QUANTITY    the cells to run next
  quantity=QUANTITY  what is to become surer: an ability's curve, such as math, or one point of it, such as math@4096

python -m analysis import from=SOURCE mapping=FILE.yaml out=FILE      a result table of others as a long table
  from=SOURCE        .csv, .parquet, the results (file or folder) of lm-eval; W&B: its exported .csv, a folder of
                     offline runs, or wandb:ENTITY/PROJECT
  mapping=FILE.yaml  columns: {ability: COLUMN, ...}, constants: {metric: accuracy, ...}, wide: {columns: '[0-9]+',
                     to: samples}, measures: {COLUMN: {ability: math, task: gsm8k}}, scale: 0.01,
                     tasks: {gsm8k: math}, metrics: {gsm8k: exact_match}
  out=FILE           the long table to write, .csv or .parquet
  items=FILE         also write the samples that lm-eval logged as items, .csv.gz or .parquet, for items=FILE above

python -m analysis fit table=FILE x=COLUMN y=COLUMN     one law for two columns of any table
  x=COLUMN[,COLUMN]  the amount(s); two for law=additive
  y=COLUMN           the loss or score
  law=NAME           default bounded
  objective=NAME     log (default), huber_log, least_squares, quasibinomial
  trials=COLUMN      items behind each score (quasibinomial)
  group=COLUMN       seed or run
  delta=NUMBER       where huber_log turns from squares to absolute values (default 0.001)
  level=NUMBER       of the intervals (default 0.95)
  seed=NUMBER        of the random starts (default 0)
"""

KEYS = {
    "": ("sweep", "store", "table", "items", "out", "margin", "weights"),
    "advise": ("sweep", "store", "table", "budget", "weights", "seed", "check"),
    "next": ("sweep", "store", "table", "quantity"),
    "import": ("from", "mapping", "out", "items"),
    "fit": ("table", "x", "y", "law", "objective", "trials", "group", "delta", "level", "seed"),
}


def main(arguments: Sequence[str]) -> int:
    """Run one command; the exit code. What a user can mend is printed as one line, without a traceback."""
    if any(a in ("-h", "--help", "help") for a in arguments) or not arguments:
        print(HELP, end="")
        return 0 if arguments else 2
    try:
        verb, given = parse(arguments)
        print(VERBS[verb](given), end="")
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


def parse(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The verb ("" for none) and the values by key.

    Raises ValueError for an unknown verb or key, or one given twice.
    """
    verb, rest = ("", arguments) if "=" in arguments[0] else (arguments[0], arguments[1:])
    if verb not in KEYS:
        raise ValueError(f"verb {verb!r} is unknown; {_near(verb, [v for v in KEYS if v])}, or none")
    given: dict[str, str] = {}
    for argument in rest:
        key, sign, value = argument.partition("=")
        if not sign or not value:
            raise ValueError(f"{argument!r} is not of the form key=value; {_near(key, KEYS[verb])}")
        if key not in KEYS[verb]:
            raise ValueError(f"key {key!r} is unknown; {_near(key, KEYS[verb])}")
        if key in given:
            raise ValueError(f"key {key!r} is given twice ({given[key]!r} and {value!r}); keep one")
        given[key] = value
    return verb, given


def _near(word: str, known: Sequence[str]) -> str:
    """The known words, and the one that was probably meant."""
    meant = difflib.get_close_matches(word, known, n=1)
    return (f"did you mean {meant[0]!r}? " if meant else "") + "known: " + ", ".join(known)


def analyse_table(given: dict[str, str]) -> str:
    """Write the analysis, or reuse what an earlier run wrote for the same table; the text for the terminal."""
    tables, items, out, title = _places(given)
    overlaps = [place for table in tables if (place := table.with_name("overlap.csv")).exists()]
    margin = _float(given, "margin", 0.02)
    stamp = f"{digest(*tables, *items, *overlaps)} margin {margin:g} weights {given.get('weights', '')}"
    if not _fresh(out, stamp):
        # pandas, scipy and matplotlib: half of a second that a reused analysis saves
        from analysis.advice.text import weights_of
        from analysis.report.write import write

        names = write(tables, out, title, margin, items, weights_of(given.get("weights", "{}")), overlaps)
        (out / "analysis.json").write_text(
            json.dumps({"digest": stamp, "files": names}, indent=1) + "\n", encoding="utf-8"
        )
    return f"{(out / 'table.txt').read_text(encoding='utf-8')}\nreport: {out / 'report.html'}\n"


def _places(given: dict[str, str]) -> tuple[list[Path], list[Path], Path, str]:
    """The tables, the files of items there are, the folder for results, and the report's title."""
    if ("sweep" in given) == ("table" in given):
        raise ValueError("give either sweep=NAME or table=FILE, for example: python -m analysis sweep=data_amount")
    if "table" in given:
        table = Path(given["table"])
        if not table.exists():
            raise FileNotFoundError(f"there is no table {table}; give table=FILE.csv or table=FILE.parquet")
        items = [Path(given["items"])] if "items" in given else []
        return [table], items, Path(given.get("out", table.with_name(table.stem + "-analysis"))), table.stem
    if "items" in given:
        raise ValueError(f"items={given['items']} goes with table=FILE; a sweep has its items beside its table")
    folders = [_store(given) / "sweeps" / name for name in given["sweep"].split(",")]
    items = [folder / "items.parquet" for folder in folders if (folder / "items.parquet").exists()]
    place = folders[0] if len(folders) == 1 else folders[0].with_name("+".join(f.name for f in folders))
    return [_table(f) for f in folders], items, Path(given.get("out", place / "analysis")), place.name


def _store(given: dict[str, str]) -> Path:
    return Path(given.get("store") or os.environ.get("DOSAGE_STORE") or "store")


def _table(folder: Path) -> Path:
    """The table in the folder of a sweep."""
    for file in ("table.parquet", "table.csv"):
        if (folder / file).exists():
            return folder / file
    name = folder.name
    raise FileNotFoundError(
        f"sweep {name!r} has no table in {folder}; collect it first: python -m sweep collect name={name}"
    )


def digest(*files: Path) -> str:
    """What the results depend on: the bytes of tables and items, and this package's source."""
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


def fit_columns(given: dict[str, str]) -> str:
    """Fit one law to columns of a table; its parameters with intervals, as text."""
    for key in ("table", "x", "y"):
        if key not in given:
            raise ValueError(
                f"fit needs {key}=..., for example: python -m analysis fit table=FILE x=samples y=loss law=bounded"
            )
    from analysis.fitting.column_fit import describe

    return describe(
        Path(given["table"]),
        tuple(given["x"].split(",")),
        given["y"],
        given.get("law", "bounded"),
        given.get("objective", "log"),
        trials=given.get("trials"),
        group=given.get("group"),
        delta=_float(given, "delta", 1e-3),
        level=_float(given, "level", 0.95),
        seed=int(_float(given, "seed", 0)),
    )


def advise_composition(given: dict[str, str]) -> str:
    """What to train under a budget, or what came of it, as text."""
    if ("budget" in given) == ("check" in given):
        raise ValueError(
            "advise needs budget=..., for example: python -m analysis advise sweep=NAME budget=20000; or check=NAME"
        )
    from analysis.advice.text import advice_text, check_text

    if "check" in given:
        after = {"table" if "table" in given else "sweep": given["check"]}
        kept = {"store": given["store"]} if "store" in given else {}
        return check_text(_places(given)[0], _places({**after, **kept})[0], given.get("weights", "{}"))
    seed = int(_float(given, "seed", 0))
    return advice_text(_places(given)[0], _float(given, "budget", 0), given.get("weights", "{}"), seed)


def next_cells(given: dict[str, str]) -> str:
    """Which cells to run next, as text."""
    if "quantity" not in given:
        raise ValueError("next needs quantity=..., for example: python -m analysis next sweep=NAME quantity=math")
    from analysis.advice.text import next_text

    return next_text(_places(given)[0], given["quantity"])


def import_table(given: dict[str, str]) -> str:
    """Write a table of others as a long table; what was written, as text."""
    for key in ("from", "mapping", "out"):
        if key not in given:
            raise ValueError(
                f"import needs {key}=..., for example: import from=theirs.csv mapping=map.yaml out=long.csv"
            )
    out = Path(given["out"])
    if out.suffix not in (".csv", ".parquet"):
        raise ValueError(f"out={given['out']} must end in .csv or .parquet")
    from analysis.imports.lm_eval import items
    from analysis.imports.mapping import convert, read_mapping

    frame = convert(given["from"], Path(given["mapping"]))
    frame.to_csv(out, index=False) if out.suffix == ".csv" else frame.to_parquet(out, index=False)
    said = f"{len(frame):,} rows of {', '.join(dict.fromkeys(frame['ability']))} in {out}\n"
    if "items" not in given:
        return said
    plan, place = read_mapping(Path(given["mapping"])), Path(given["items"])
    samples = items(Path(given["from"]), plan.get("tasks", {}), plan.get("metrics", {}))
    samples.to_parquet(place, index=False) if place.suffix == ".parquet" else samples.to_csv(place, index=False)
    return f"{said}{len(samples):,} items in {place}\n"


def _float(given: dict[str, str], key: str, default: float) -> float:
    try:
        return float(given.get(key, default))
    except ValueError as error:
        raise ValueError(f"{key}={given[key]!r} is not a number") from error


VERBS = {
    "": analyse_table,
    "advise": advise_composition,
    "next": next_cells,
    "import": import_table,
    "fit": fit_columns,
}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
