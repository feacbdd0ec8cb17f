"""The config's surface, frozen: a new leaf is a decision, not an accident."""

from pathlib import Path

from tests.sweep.composing import config, leaves, plain

GOLDEN = Path(__file__).parent / "golden" / "surface.txt"


def test_the_leaves_of_the_config_are_the_known_ones():
    found = sorted(path for path, _ in leaves(plain(config())))
    assert found == GOLDEN.read_text().split(), "add the leaf to tests/golden/surface.txt if it earns its place"
