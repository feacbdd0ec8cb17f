"""Points check their columns; fits refuse what they cannot use, with the reason and a remedy."""

import numpy as np
import pytest

from analysis import Points, fit

X = np.geomspace(100, 1e6, 9)
Y = 1.0 + 30 * X**-0.4


def test_columns_that_differ_in_length_are_refused():
    with pytest.raises(ValueError, match="samples has 2 entries and value has 3"):
        Points({"samples": [1, 2]}, value=[1, 2, 3])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"x": {"samples": [1, -2]}}, r"samples\[1\]=-2 must be at least 0"),
        ({"x": {"samples": [1, np.inf]}}, r"samples\[1\]=inf must be finite"),
        ({"trials": [10, 0]}, r"trials\[1\]=0 must be at least 1"),
        ({"weight": [1, -1]}, r"weight\[1\]=-1 must be at least 0"),
        ({"group": ["a"]}, "one label for each point"),
        ({"x": {}}, "at least one amount"),
        ({"x": {"samples": [[1, 2]]}}, "1-D"),
    ],
)
def test_impossible_points_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Points(**{"x": {"samples": [1, 2]}, "value": [1.0, 2.0], **change})


def test_equal_values_of_two_seeds_are_not_duplicates():
    points = Points({"samples": np.tile(X, 2)}, np.tile(Y, 2), group=np.repeat([0, 1], len(X)))
    assert "duplicates" not in fit(points, "power_floor").warnings


def test_constant_values_give_the_level_and_a_warning():
    curve = fit(Points({"samples": X}, np.full(len(X), 2.5)), "power_floor")
    assert "constant_values" in curve.warnings
    assert curve.predict({"samples": X}).value == pytest.approx(2.5, rel=1e-4)


def test_points_without_a_usable_one_are_refused():
    with pytest.raises(ValueError, match="none of the 2 points"):
        fit(Points({"samples": [0.0, 5.0]}, [1.0, np.nan]), "power")


def test_repeated_amounts_do_not_make_up_for_distinct_ones():
    points = Points({"samples": np.repeat([10.0, 100.0, 1000.0], 10)}, np.random.default_rng(0).uniform(1, 2, 30))
    with pytest.raises(ValueError, match="'bounded' needs at least 6"):
        fit(points, "bounded")


def test_values_outside_an_objective_are_refused_with_a_remedy():
    points = Points({"samples": X}, Y - 1.5)
    with pytest.raises(ValueError, match="has no logarithm; use objective='least_squares'"):
        fit(points, "power_floor")
    with pytest.raises(ValueError, match="needs trials"):
        fit(Points({"samples": X}, Y / 10), "sigmoid", "quasibinomial")
    with pytest.raises(ValueError, match="not a share of items"):
        fit(Points({"samples": X}, Y, trials=np.full(len(X), 50)), "sigmoid", "quasibinomial")


def test_unknown_names_are_refused_with_the_known_ones():
    with pytest.raises(ValueError, match=r"law='pover' is unknown; choose one of: power"):
        fit(Points({"samples": X}, Y), "pover")
    with pytest.raises(ValueError, match=r"objective='mse' is unknown; choose one of: log"):
        fit(Points({"samples": X}, Y), "power", "mse")
    with pytest.raises(ValueError, match="takes 2 amount"):
        fit(Points({"samples": X}, Y), "additive")
    with pytest.raises(ValueError, match="no parameter 'q' to fix"):
        fit(Points({"samples": X}, Y), "power", fixed={"q": 1.0})


def test_scores_that_jump_from_none_to_all_carry_a_warning():
    x = np.array([10.0, 20, 40, 80, 160])
    jump = fit(Points({"samples": x}, [0, 0, 0.01, 1, 1], trials=np.full(5, 100.0)), "sigmoid", "quasibinomial")
    assert "separated" in jump.warnings
    ramp = fit(Points({"samples": x}, [0, 0, 0.4, 1, 1], trials=np.full(5, 100.0)), "sigmoid", "quasibinomial")
    assert "separated" not in ramp.warnings
