"""Tables read together: what several files hold is kept once, what one file holds is kept as it is."""

from __future__ import annotations

import pandas as pd

from analysis.data.reading import read


def test_rows_of_one_file_that_differ_in_a_factor_of_its_own_are_kept_and_shared_ones_are_kept_once(tmp_path):
    row = {"ability": "math", "task": "gsm8k", "metric": "accuracy", "value": 0.0, "samples": 8, "n_items": 100}
    both = pd.DataFrame([{**row, "epochs": 1}, {**row, "epochs": 2}])
    both.to_csv(tmp_path / "a.csv", index=False)
    pd.concat([both, both.assign(value=0.5)]).to_csv(tmp_path / "b.csv", index=False)
    table = read(tmp_path / "a.csv", tmp_path / "b.csv")
    assert table[["value", "epochs"]].to_numpy().tolist() == [[0, 1], [0, 2], [0.5, 1], [0.5, 2]]
