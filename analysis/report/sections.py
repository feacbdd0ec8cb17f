"""The parts of report.html and their sections."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.report.budget_tables import budget_tables
from analysis.report.drawings import Drawings
from analysis.report.page import Part, Section
from analysis.report.results import Results
from analysis.report.shape_table import shape_table
from analysis.report.size_tables import size_tables
from analysis.report.stage_tables import stage_tables
from analysis.report.tables import elsewhere_tables, further_table, goal_table, law_table, measure_tables, overview
from analysis.report.text import sentence, warning_rows
from analysis.report.verdict_tables import QUESTION_TITLES, matrix_table, verdict_tables
from analysis.report.within_run_tables import ABOUT, within_run_tables
from analysis.text_table import TextTable

HELD = (
    "An item counts as held when its whole prompt, or 70 % of the 8-word runs of its prompt or answer, occur in the "
    "source; accuracy_clean, among the further metrics, leaves those items out.",
)

GOALS = (
    "A goal is the next round score, or a loss lower by a tenth. Its interval holds all amounts at which the goal lies "
    "within the curve's band; without a curve it lies between measured amounts. The last column says how many items "
    "would tell the amount within a factor of two. For another goal: python -m analysis next … quantity=math=90%.",
)

SIZES = (
    "A size is predicted by a straight line over the logarithm of sizes at each amount, by laws of size and amount, "
    "and, where the table has an ability's loss beside its score, in two steps: the size's loss, and the score that "
    "goes with it. Each is weighted by its errors on measured sizes that were predicted from smaller ones. The "
    "interval follows from the same errors, drawn towards the usual one: 7 % of a loss, as on public ladders of "
    "fine-tuned models, or 0.3 logits, which is assumed. It is for one more model of the same family.",
)


def parts(results: Results, drawings: Drawings, overlaps: Sequence[TextTable]) -> list[Part]:
    """The overview first, then a section a question, the curves, and what else the table holds."""
    top = overview(results.fits)
    questions = [Section(_capital(top.title), [top])] if top else []
    questions += _questions(results, drawings)
    questions += (
        [Section(_capital(goals.title), [goals], sentences=GOALS)] if (goals := goal_table(results.fits)) else []
    )
    if sizes := size_tables(list(results.sizes.values())):
        questions.append(Section("Across sizes", sizes, sentences=SIZES))
    if drawings.mixtures:
        questions.append(Section("Mixtures", pictures=drawings.mixtures))
    return [
        Part("Questions", questions),
        Part("Curves", _measures(results, drawings)),
        Part("Details", _details(results, drawings, overlaps)),
    ]


def _questions(results: Results, drawings: Drawings) -> list[Section]:
    """A section for each question with verdicts: figure, table, and the sentences, which unfold."""
    findings = results.findings
    sections = []
    for question in QUESTION_TITLES:
        about = [verdict for verdict in findings.verdicts if verdict.question == question]
        if not about:
            continue
        pictures = list(drawings.verdicts.get(question, ()))
        pictures += drawings.strategies if question == "strategy" else []
        shown = verdict_tables(about)
        shown += [matrix_table(*pair) for pair in findings.strategies] if question == "strategy" else []
        shown += budget_tables(results.fits) if question == "budget" else []
        said = [verdict.sentence for verdict in about]
        sections.append(Section(QUESTION_TITLES[question], shown, pictures, folded=said))
    notes = [*findings.notes, *(shares.sentence for shares in findings.shares)]
    sections += [Section("What else the comparisons say", sentences=notes)] if notes else []
    return sections


def _measures(results: Results, drawings: Drawings) -> list[Section]:
    """One section per measure: its figure, tables, checks and warnings."""
    found = []
    for measure, fits in results.fits:
        said = [sentence(measure, fit) for fit in fits]
        warned = [row for fit in fits for row in warning_rows(fit)]
        laws = law_table(fits)
        tables = [*measure_tables(measure, fits), *filter(None, (shape_table(measure, fits), laws))]
        figures = [drawings.curves[measure.name]], drawings.checks[measure.name]
        tags = {"ability": measure.ability, "metric": measure.metric.name}
        found.append(Section(measure.heading, tables, *figures, sentences=said, warnings=warned, tags=tags))
    return found


def _details(results: Results, drawings: Drawings, overlaps: Sequence[TextTable]) -> list[Section]:
    """Audits, stages, further metrics, effects elsewhere, overlaps, assumptions, and what is not shown."""
    found = [Section("Audit", sentences=results.findings.audits)] if results.findings.audits else []
    further = further_table(results.study)
    stages = stage_tables(results.study, results.metrics)
    drawn = {picture.figure.title: picture for picture in drawings.stages}
    found += [
        Section(_capital(table.title), [table], [drawn[table.title]] if table.title in drawn else [])
        for table in stages
    ]
    if on_the_way := within_run_tables(*results.on_the_way):
        found.append(Section("Within a run", on_the_way, drawings.within, sentences=[ABOUT]))
    tables = [*elsewhere_tables(results.study, results.metrics), *([further] if further else [])]
    found += [Section(_capital(table.title), [table]) for table in tables]
    found += [Section(table.title, [table], sentences=HELD) for table in overlaps]
    assumed = results.assumptions()
    found += [Section("Assumed", sentences=assumed)] if assumed else []
    found += [Section("Columns of the table", sentences=columns)] if (columns := results.columns()) else []
    return [*found, *([Section("Not shown", sentences=drawings.missing)] if drawings.missing else [])]


def _capital(title: str) -> str:
    """The title of a table as a heading."""
    return title[:1].upper() + title[1:]
