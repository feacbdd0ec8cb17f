"""Odd points: each kind has one outcome, the same for every law."""

import numpy as np
import pytest

from analysis import LAWS, Points, fit
from tests.analysis.laws.simulated import SCORES, simulate


@pytest.fixture(scope="module")
def fits():
    """For each law: points, the objective, and their curve."""
    curves = {}
    for law in LAWS:
        points, objective = simulate(law, 0)
        curves[law] = points, objective, fit(points, law, objective)
    return curves


def with_one_more(points, x, value):
    """The points and one more, at the amounts ``x`` (name -> number)."""
    return Points(
        {name: np.append(column, x[name]) for name, column in points.x.items()},
        np.append(points.value, value),
        None if points.trials is None else np.append(points.trials, points.trials[0]),
    )


def first_amounts(points):
    return {name: column[0] for name, column in points.x.items()}


@pytest.mark.parametrize("law", LAWS)
def test_a_missing_value_is_left_out(law, fits):
    points, objective, curve = fits[law]
    odd = fit(with_one_more(points, first_amounts(points), np.nan), law, objective)
    assert "missing_dropped" in odd.warnings
    assert odd.params == curve.params
    assert len(odd.points) == len(points)


@pytest.mark.parametrize("law", LAWS)
def test_an_amount_of_zero_is_left_out(law, fits):
    points, objective, curve = fits[law]
    odd = fit(with_one_more(points, dict.fromkeys(points.x, 0.0), points.value[0]), law, objective)
    assert "zero_dropped" in odd.warnings
    assert len(odd.points) == len(points)
    assert odd.params == curve.params


@pytest.mark.parametrize("law", LAWS)
def test_negative_numbers_are_refused(law, fits):
    points, objective, _ = fits[law]
    with pytest.raises(ValueError, match="must be at least 0"):
        with_one_more(points, dict.fromkeys(points.x, -1.0), points.value[0])
    reason = "not a share of items" if law in SCORES else "has no logarithm"
    with pytest.raises(ValueError, match=reason):
        fit(with_one_more(points, first_amounts(points), -0.5), law, objective)


@pytest.mark.parametrize("law", LAWS)
def test_a_duplicate_counts_as_a_measurement_and_is_named(law, fits):
    points, objective, curve = fits[law]
    odd = fit(with_one_more(points, first_amounts(points), points.value[0]), law, objective)
    assert "duplicates" in odd.warnings
    assert len(odd.points) == len(points) + 1
    assert odd.predict(points.x).value == pytest.approx(curve.predict(points.x).value, rel=0.1)


@pytest.mark.parametrize("law", LAWS)
def test_one_point_or_one_amount_is_refused_with_the_number_needed(law, fits):
    points, objective, _ = fits[law]
    for rows in ([0], [0] * 12):
        with pytest.raises(ValueError, match=rf"law '{law}' needs at least \d+ distinct amounts above 0; .* have 1"):
            fit(points.take(np.array(rows)), law, objective)


@pytest.mark.parametrize("law", LAWS)
def test_constant_values_give_the_level_and_a_warning(law, fits):
    points, objective, _ = fits[law]
    curve = fit(Points(points.x, np.full(len(points), 0.4), points.trials), law, objective)
    assert "constant_values" in curve.warnings
    assert curve.predict(points.x).value == pytest.approx(0.4, rel=0.02)
    assert np.isfinite(list(curve.params.values())).all()


@pytest.mark.parametrize("law", LAWS)
def test_the_order_of_rows_does_not_matter(law, fits):
    points, objective, curve = fits[law]
    odd = fit(points.take(np.random.default_rng(1).permutation(len(points))), law, objective)
    assert odd.params == curve.params
    assert odd.objective == curve.objective


@pytest.mark.parametrize("law", LAWS)
def test_one_amount_too_few_is_refused(law, fits):
    points, objective, _ = fits[law]
    fewest = LAWS[law].min_amounts
    columns = np.unique(np.stack(list(points.x.values())), axis=1)[:, : fewest - 1]
    few = Points(
        dict(zip(points.x, columns, strict=True)),
        np.full(fewest - 1, 0.5),
        None if points.trials is None else np.full(fewest - 1, 100.0),
    )
    with pytest.raises(ValueError, match="measure more amounts or choose a law with fewer parameters"):
        fit(few, law, objective)


@pytest.mark.parametrize("law", LAWS)
def test_a_good_fit_carries_no_warning_about_the_search(law, fits):
    _, _, curve = fits[law]
    assert not {"few_starts_agree", "not_converged"} & set(curve.warnings)
    assert set(curve.params) == set(LAWS[law].names)


@pytest.mark.parametrize("law", ["additive", "multiplicative", "logit_sizes"])
def test_an_amount_that_does_not_vary_is_named(law):
    points, objective = simulate(law, 0)
    name = list(points.x)[-1]
    flat = Points({**points.x, name: np.full(len(points), 4.4e9)}, points.value, points.trials)
    with pytest.raises(ValueError, match=rf"{name} is 4.4e\+09 in all points, so law '{law}' cannot separate"):
        fit(flat, law, objective)
