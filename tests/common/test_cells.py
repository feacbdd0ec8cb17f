"""Texts that a spreadsheet would take for formulas are quoted in CSV files, and read back as they are."""

from __future__ import annotations

import csv

import pandas as pd

from analysis.data.table_file import read_csv, write_csv
from common.cells import quoted

TEXTS = ["=1+2", "+cmd", "-x", "@SUM(A1)", "\tx", "'quoted", "plain", "-0.5", "+3e5", "a=b"]


def test_formulas_are_quoted_on_export_and_read_back(tmp_path):
    frame = pd.DataFrame({"task": TEXTS, "value": [-float(number) for number in range(len(TEXTS))]})
    write_csv(frame, tmp_path / "table.csv")
    with (tmp_path / "table.csv").open(newline="") as stream:
        cells = [row["task"] for row in csv.DictReader(stream)]
    assert cells[:5] == ["'=1+2", "'+cmd", "'-x", "'@SUM(A1)", "'\tx"] and cells[5:] == TEXTS[5:]
    assert quoted(-0.5) == -0.5
    assert read_csv(tmp_path / "table.csv")["task"].tolist() == TEXTS
    assert read_csv(tmp_path / "table.csv")["value"].tolist() == frame["value"].tolist()
