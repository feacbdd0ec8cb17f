"""The report and the answers in a browser, opened from a file: what people do with them."""

import csv
import io
import re

import numpy as np
import pytest
from scipy.special import logit

from analysis.advice.advise import surrogates_of
from analysis.advice.distance import OTHER, OWN, distance_words
from analysis.data.study import read_study

pytestmark = pytest.mark.slow

SCHEMES = (("light", 1280), ("dark", 1280), ("light", 390))
WAIT = 60_000


def live(page, name):
    """The figure of this name, once its live view is there."""
    page.locator(f"[id='{name}']").scroll_into_view_if_needed()
    page.wait_for_selector(f"[id='{name}'][data-live=yes]", timeout=WAIT)
    return page.locator(f"[id='{name}']")


CURVES = "math-gsm8k-accuracy"


def test_every_figure_comes_alive_and_nothing_is_asked_of_any_host(report, opened):
    page = opened(report / "report.html")
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    names = page.eval_on_selector_all("figure", "all => all.map((one) => one.id)")
    assert len(names) > 8
    for name in names:
        live(page, name)


def test_without_scripts_the_page_shows_answers_figures_and_tables(report, opened):
    page = opened(report / "report.html", scripts=False)
    assert page.locator(".card").count() == 5
    assert page.locator(f"[id='{CURVES}'] svg").bounding_box()["height"] > 150
    assert page.locator("table").first.is_visible()


def test_hover_tells_value_interval_items_and_cells(report, opened):
    page = opened(report / "report.html")
    figure = live(page, CURVES)
    point = figure.locator("svg .mark-symbol.role-mark path").last
    point.hover()
    page.wait_for_selector("#hint:not([hidden])", timeout=WAIT)
    said = page.locator("#hint").inner_text()
    for word in ("accuracy in %", "95 % from", "items", "cells", "strategy="):
        assert word in said
    page.mouse.move(5, 5)
    page.wait_for_selector("#hint", state="hidden", timeout=WAIT)


def test_a_series_is_switched_off_in_all_figures_and_on_again(report, opened):
    page = opened(report / "report.html")
    marks = "svg .mark-symbol.role-mark path"
    figure, other = live(page, CURVES), live(page, "code-humaneval-accuracy")
    before = figure.locator(marks).count()
    button = figure.locator("button.series", has_text="single")
    button.click()
    page.wait_for_function(f"document.querySelectorAll(\"[id='{CURVES}'] {marks}\").length === {before // 2}")
    assert button.get_attribute("aria-pressed") == "false"
    button.focus()
    page.keyboard.press("Enter")
    page.wait_for_function(f"document.querySelectorAll(\"[id='{CURVES}'] {marks}\").length === {before}")
    assert other.locator("svg").is_visible()


def test_the_axis_of_amounts_becomes_linear(report, opened):
    page = opened(report / "report.html")
    figure = live(page, CURVES)
    assert "(log scale)" in figure.locator("svg").text_content()
    figure.locator("button.log").first.click()
    page.wait_for_function(
        f"!document.getElementById('{CURVES}').querySelector('svg').textContent.includes('log scale')"
    )


def test_a_click_on_a_point_shows_its_cell_command_and_answers(report, opened):
    page = opened(report / "report.html")
    live(page, CURVES).locator("svg .mark-symbol.role-mark path").last.click()
    panel = page.locator(f"[id='{CURVES}'] .behind")
    said = panel.inner_text()
    for word in (
        "python -m sweep logs name=small",
        "samples of math",
        "steps, loss",
        "asked",
        "answered",
        "what is right",
    ):
        assert word in said, word
    assert "model.architecture" not in panel.locator("h4").first.inner_text(), "what all cells share is left out"
    link = panel.locator("a").first.get_attribute("href")
    assert link.startswith("items.html#cell=")
    page.keyboard.press("Escape")
    page.wait_for_selector(".behind", state="detached", timeout=WAIT)
    names = "all => all.filter((s) => !s.hidden).map((s) => s.dataset.ability + s.dataset.metric)"
    whole = page.eval_on_selector_all("section[data-ability]", names)
    page.locator(".choose button", has_text="math").click()
    page.locator(".choose button", has_text="loss").click()
    left = page.eval_on_selector_all("section[data-ability]", names)
    assert left == [name for name in whole if not name.startswith("math") and not name.endswith("loss")] != []


def test_tables_sort_filter_and_copy(report, opened):
    page = opened(report / "report.html")
    box = page.locator("section:has(h3:text('Does mixing with other abilities help or hurt?'))")
    table = box.locator("table").first
    gains = lambda: [float(v.split()[0]) for v in table.locator("tbody tr:visible td:nth-child(2)").all_inner_texts()]  # noqa: E731
    table.locator("th button").nth(1).click()
    assert gains() == sorted(gains())
    table.locator("th button").nth(1).click()
    assert gains() == sorted(gains(), reverse=True) and len(gains()) > 3
    whole = len(gains())
    box.locator("input[type=search]").first.fill("math loss")
    assert 0 < len(gains()) < whole
    copy = box.locator("button", has_text="CSV").first
    copy.click()
    rows = list(csv.reader(io.StringIO(copy.get_attribute("data-copied"))))
    assert len(rows) == len(gains()) + 1 and {len(row) for row in rows} == {len(rows[0])}
    latex = box.locator("button", has_text="LaTeX").first
    latex.click()
    text = latex.get_attribute("data-copied")
    assert text.startswith("\\begin{tabular}{lr") and text.count("\\\\") == len(rows)


def test_the_sliders_move_predictions_and_the_command(simulated, opened):
    page = opened(simulated / "report.html")
    command = page.locator("#sliders code")
    before, bands = command.inner_text(), page.locator("#sliders .band").all()
    said = [band.get_attribute("aria-label") for band in bands]
    page.locator("#slide-math").focus()
    page.keyboard.press("Home")
    assert "math" in before.split("amount=")[1] and "math" not in command.inner_text().split("amount=")[1]
    assert [band.get_attribute("aria-label") for band in bands] != said


STATUS = "#sliders [role=status]"


def test_the_panel_says_how_far_a_mixture_lies_and_widens_its_band_as_advise_does(simulated, opened, tmp_path):
    models = surrogates_of(read_study([simulated.parent / "t.csv"]), one_sum=True)
    page = opened(simulated / "report.html")
    seen = set()
    for strategy in ("multitask", "sequential"):
        page.select_option("#slide-strategy", strategy)
        for steps in ((100, 100, 100), (100, 0, 0), (30, 100, 60), (0, 8, 90), (1, 1, 1)):
            for model, step in zip(models, steps, strict=True):
                page.locator(f"#slide-{model.ability}").evaluate(
                    "(one, to) => { one.value = to; one.dispatchEvent(new Event('input')); }", step
                )
            texts = page.locator("#sliders input + output").all_inner_texts()
            amounts = np.array([float(text.replace(",", "")) for text in texts])
            by = dict(zip([model.ability for model in models], amounts, strict=True))
            one = [strategy if (amounts > 0).sum() > 1 else "multitask"]
            at = {m.ability: m.places.away(np.array([[by[name] for name in m.places.names]]), one) for m in models}
            far = distance_words(max(float(one) for (one,) in at.values()))
            said, told = (re.split(r"([\d.,]+)x", words) for words in (page.locator(STATUS).inner_text(), far))
            assert [*said[::2]] == [f"Distance from the cells measured: {told[0]}", f"{told[2]}."]
            # The last digit may differ where the amounts of arms, rounded for the page, lie at its edge.
            assert float(said[1].replace(",", "")) == pytest.approx(float(told[1].replace(",", "")), rel=0.06)
            for model, said in zip(models, page.locator("#sliders .band + output").all_inner_texts(), strict=True):
                own = np.array([by[model.ability]])
                mean, covariance = model.predict(model.inputs({OWN: own, OTHER: amounts.sum() - own}, np.array(one)))
                half = 1.96 * model.stretch(at[model.ability], np.array(one))[0] * np.sqrt(covariance[0, 0])
                seen.add(bool(np.isfinite(half)))
                if not np.isfinite(half):
                    assert "(95 % interval unknown)" in said
                elif "beyond" not in said:  # where the page stays at the edge of what was measured
                    ends = [float(text) for text in re.findall(r"[\d.]+", said)]
                    exact = [100 * float(model.shown(mean[0] + sign * half)) for sign in (0, -1, 1)]
                    assert ends == pytest.approx(exact, abs=2.5), (by, said)
    assert seen == {True, False}
    text = (simulated / "report.html").read_text(encoding="utf-8")
    twice = re.sub(r'"wider":\[[^]]*\]', '"wider":[2]', text)
    (tmp_path / "twice.html").write_text(twice, encoding="utf-8")
    before, after = (opened(path) for path in (simulated / "report.html", tmp_path / "twice.html"))
    texts = [page.locator("#sliders .band + output").all_inner_texts() for page in (before, after)]
    for said, wider in zip(*texts, strict=True):
        (low, high), (lower, higher) = (
            logit([float(text) / 100 for text in re.findall(r"[\d.]+", words)[1:]]) for words in (said, wider)
        )
        assert higher - lower == pytest.approx(2 * (high - low), rel=0.05)


def test_deep_links_lead_to_their_sections(report, opened):
    page = opened(report / "report.html")
    links = page.eval_on_selector_all("nav a", "all => all.map((one) => one.getAttribute('href').slice(1))")
    assert len(links) > 10
    assert page.evaluate("(all) => all.filter((name) => !document.getElementById(name))", links) == []
    ids = page.eval_on_selector_all("[id]", "all => all.map((one) => one.id)")
    assert len(ids) == len(set(ids))
    there = opened(report / "report.html", fragment="#part-provenance")
    there.wait_for_function("document.getElementById('part-provenance').getBoundingClientRect().top < innerHeight")


@pytest.mark.parametrize(("scheme", "width"), SCHEMES)
def test_no_rule_of_accessibility_is_broken(report, opened, scheme, width):
    from axe_core_python.sync_playwright import Axe

    for name in ("report.html", "items.html"):
        page = opened(report / name, width, scheme)
        found = Axe().run(page)["violations"]
        assert [(one["id"], one["nodes"][0]["html"][:200]) for one in found] == []


TEXTS = """(svg) => { const box = svg.getBoundingClientRect(), scale = box.width / svg.viewBox.baseVal.width;
  const inside = (at) => Math.min(at.left - box.left, at.top - box.top, box.right - at.right, box.bottom - at.bottom);
  return [...svg.querySelectorAll('text')].filter((one) => one.textContent).map((one) =>
    [one.textContent, parseFloat(getComputedStyle(one).fontSize) * scale, inside(one.getBoundingClientRect())]); }"""
"""Each text of a figure, the size of its letters, and how far it lies inside the figure; in pixels of the screen."""


def test_on_a_narrow_screen_nothing_sticks_out_and_cut_tables_say_so(report, opened):
    page = opened(report / "report.html", width=390)
    page.evaluate("document.querySelectorAll('details').forEach((one) => (one.open = true))")
    for name in page.eval_on_selector_all("figure", "all => all.map((one) => one.id)"):
        texts = live(page, name).locator("svg").evaluate(TEXTS)
        assert len(texts) > 3 and [t for t in texts if t[1] < 11 or t[2] < -1] == [], name
    assert page.evaluate("document.documentElement.scrollWidth") == 390
    cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth + 1 && !one.classList.contains('cut')).length"
    assert page.eval_on_selector_all(".scroll", cut) == 0
    assert page.locator(".cut").count() > 0
    assert opened(report / "items.html", width=390).evaluate("document.documentElement.scrollWidth") == 390


def test_dark_pages_have_light_text_in_figures(report, opened):
    page = opened(report / "report.html", scheme="dark")
    colour = page.evaluate("getComputedStyle(document.querySelector('figure svg text')).fill")
    assert min(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) > 150
    back = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert max(map(int, back.removeprefix("rgb(").removesuffix(")").split(","))) < 60


def test_print_leaves_out_what_only_works_on_a_screen(report, opened):
    page = opened(report / "report.html")
    page.emulate_media(media="print")
    assert not page.locator("nav").is_visible()
    assert page.locator(".tabletools:visible").count() == page.locator(".tools:visible").count() == 0
    assert page.pdf()[:5] == b"%PDF-"


def test_answers_are_filtered_and_only_those_in_sight_are_drawn(report, opened):
    page = opened(report / "items.html")
    count = lambda: int(page.locator("#count").inner_text().split()[0].replace(",", ""))  # noqa: E731
    whole = count()
    assert whole == 8 * 3 * 12, "cells, benchmarks, items"
    assert page.locator("#all > div").count() < 60
    page.select_option("#by-task", "gsm8k")
    assert count() == whole // 3
    by_verdict = []
    for verdict in ("right", "wrong", "cut off", "unreadable", "rated"):
        page.select_option("#by-verdict", verdict)
        by_verdict.append(count())
    assert sum(by_verdict) == whole // 3
    page.select_option("#by-verdict", "")
    page.locator("#list").focus()
    page.keyboard.press("End")
    assert page.locator("#all > div[aria-selected=true]").get_attribute("aria-posinset") == str(whole // 3)
    assert "Prompt" in page.locator("#one").inner_text()
    assert "task=gsm8k" in page.url
    options = page.eval_on_selector_all(
        "#by-cell option", "all => all.slice(1).map((one) => [one.text, one.value, one.title])"
    )
    below = page.locator("#all .quiet").first
    assert "model.architecture" not in below.inner_text()
    for short, whole, title in options:
        assert set(short.split(",")) < set(whole.split(",")) and title == whole and "model.architecture" not in short
    assert below.get_attribute("title") in [whole for _, whole, _ in options]
