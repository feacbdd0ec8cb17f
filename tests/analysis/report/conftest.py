"""A real sweep, its report, and a browser to look at it with."""

import os
import shutil

import pytest

from tests.analysis.running import run
from tests.analysis.tables import mixed_table
from tests.conftest import TINY, sweep

# The report of a simulated table is quick to make; the one of a sweep has cells with commands and answers.
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="session")
def report(tmp_path_factory):
    """The folder of the analysis of four small cells: math alone and mixed, at two amounts."""
    folder = tmp_path_factory.mktemp("swept")
    words = ("-m", "name=small", "strategy=single,multitask", "ability=math", "fraction=1/8,1/4,1/2,1")
    ended = sweep(*words, *TINY, store=folder / "store")
    assert ended.returncode == 0, ended.stderr[-2000:]
    run("sweep=small", "store=store", cwd=folder)
    return folder / "store" / "sweeps" / "small" / "analysis"


@pytest.fixture(scope="session")
def simulated(tmp_path_factory):
    """The folder of the analysis of a simulated table with mixtures."""
    folder = tmp_path_factory.mktemp("simulated")
    mixed_table().to_csv(folder / "t.csv", index=False)
    run("table=t.csv", cwd=folder)
    return folder / "t-analysis"


@pytest.fixture(scope="session")
def chromium():
    """A headless Chromium, as it is installed on the machine."""
    if CHROMIUM is None and not os.environ.get("CI"):
        pytest.skip("no Chromium on this machine: apt-get install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as tool:
        started = tool.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture
def opened(chromium):
    """Opens a file in a fresh window; what went wrong, or was asked of any host, fails the test."""
    contexts, wrong = [], []

    def open_file(path, width=1280, scheme="light", scripts=True, fragment=""):
        context = chromium.new_context(
            viewport={"width": width, "height": 900}, color_scheme=scheme, java_script_enabled=scripts
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: None if asked.url.startswith("file:") else wrong.append(asked.url))
        page.goto(path.as_uri() + fragment)
        if scripts:
            page.wait_for_selector("html[data-ready=yes]", timeout=60_000)
        return page

    yield open_file
    for context in contexts:
        context.close()
    assert wrong == []
