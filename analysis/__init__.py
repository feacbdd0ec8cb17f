"""Turn a long table into curves, intervals, figures and a report."""
