"""What is printed under a sweep's table."""

from pathlib import Path

from common.json_file import write_json
from sweep.results.saved_sweep import save
from sweep.results.warnings import LINES, _contamination, write
from sweep.stages.store import Store
from tests.sweep.composing import cell, plan


def pair(source: str, flagged: int, items: int = 10) -> dict:
    return {"task": "gsm8k", "source": source, "items": items, "flagged": flagged, "whole": 1, "any_13": 0, "short": 0}


def test_the_worst_overlaps_stand_first_by_share():
    pairs = [pair("a", 2), pair("b", 9), pair("c", 0), pair("d", 10, 100), pair("e", 5)]
    lines = _contamination(pairs)
    assert [line.split(" are in ")[1][0] for line in lines[:-1]] == ["b", "e", "a", "d"]
    assert lines[0] == "overlap: 9 of 10 items of gsm8k are in b, 1 of them whole; 0 share a run of 13 words"
    assert lines[-1] == "accuracy_clean in the table leaves such items out"


def test_more_pairs_than_lines_are_counted():
    lines = _contamination([pair(str(number), number) for number in range(1, LINES + 3)])
    assert lines[-2] == "overlap: and 2 more pairs, see overlap.csv" and len(lines) == LINES + 2
    assert _contamination([pair("a", 0)]) == []


def test_trainings_that_did_not_pack_though_they_were_to_are_counted(store_path: Path):
    store, words = Store(store_path), (f"store={store_path}", "fraction=1/4")
    packing, apart = (plan(cell(*words, f"engine.pack={pack}"), store=store_path) for pack in ("true", "false"))
    for number, stage in enumerate(packing.cells[0].trained):  # the base, and the cell's own stage
        store.path(stage).mkdir(parents=True)
        write_json(store.path(stage) / "summary.json", {"packed": number == 0})
    assert write(save(apart, store), store) == []
    (line,) = write(save(packing, store), store)
    assert line.startswith("note: 1 of 2 training stages ran with one sample a row, not packed")
    write_json(store.path(packing.cells[0].trained[1]) / "summary.json", {"packed": True})
    assert write(save(packing, store), store) == []
