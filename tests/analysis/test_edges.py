"""Odd inputs: each has one outcome, the same for every law."""

from pathlib import Path

import numpy as np
import pytest
from test_laws import SCORES, TRUE, simulate

from analysis import LAWS, Points, fit
from analysis.fitting.diagnosis import WARNINGS, explain, remedy


@pytest.fixture(scope="module")
def plain():
    """For each law points that can be fitted, the objective, and the fit."""
    found = {}
    for law in LAWS:
        points, objective = simulate(law, 0)
        found[law] = points, objective, fit(points, law, objective)
    return found


def joined(points, x, value):
    """The points with one more."""
    return Points(
        {name: np.append(column, x[name]) for name, column in points.x.items()},
        np.append(points.value, value),
        None if points.trials is None else np.append(points.trials, points.trials[0]),
    )


def first(points):
    return {name: column[0] for name, column in points.x.items()}


@pytest.mark.parametrize("law", LAWS)
def test_a_missing_value_is_left_out(law, plain):
    points, objective, curve = plain[law]
    odd = fit(joined(points, first(points), np.nan), law, objective)
    assert "missing_dropped" in odd.warnings
    assert odd.params == curve.params


@pytest.mark.parametrize("law", LAWS)
def test_an_amount_of_zero_is_left_out_but_where_the_law_describes_it(law, plain):
    points, objective, curve = plain[law]
    nothing = dict.fromkeys(points.x, 0.0)
    odd = fit(joined(points, nothing, points.value[0]), law, objective)
    assert ("zero_dropped" in odd.warnings) is not LAWS[law].allows_zero
    assert len(odd.points) == len(points) + LAWS[law].allows_zero
    if not LAWS[law].allows_zero:
        assert odd.params == curve.params


@pytest.mark.parametrize("law", LAWS)
def test_negative_numbers_are_refused(law, plain):
    points, objective, _ = plain[law]
    with pytest.raises(ValueError, match="must be at least 0"):
        joined(points, dict.fromkeys(points.x, -1.0), points.value[0])
    reason = "not a share of items" if law in SCORES else "has no logarithm"
    with pytest.raises(ValueError, match=reason):
        fit(joined(points, first(points), -0.5), law, objective)


@pytest.mark.parametrize("law", LAWS)
def test_a_duplicate_counts_and_is_named(law, plain):
    points, objective, curve = plain[law]
    odd = fit(joined(points, first(points), points.value[0]), law, objective)
    assert "duplicates" in odd.warnings
    assert len(odd.points) == len(points) + 1
    assert odd.predict(points.x).value == pytest.approx(curve.predict(points.x).value, rel=0.1)


@pytest.mark.parametrize("law", LAWS)
def test_one_point_or_one_amount_is_refused_with_the_number_needed(law, plain):
    points, objective, _ = plain[law]
    one = points.take(np.array([0]))
    for few in (one, points.take(np.zeros(12, dtype=int))):
        with pytest.raises(ValueError, match=rf"law '{law}' needs at least \d+ distinct amounts above 0; .* have 1"):
            fit(few, law, objective)


@pytest.mark.parametrize("law", LAWS)
def test_constant_values_give_the_level_and_a_warning(law, plain):
    points, objective, _ = plain[law]
    level = 0.4
    flat = Points(points.x, np.full(len(points), level), points.trials)
    curve = fit(flat, law, objective)
    assert "constant_values" in curve.warnings
    if law != "beta_binomial":  # which rises with every try
        assert curve.predict(points.x).value == pytest.approx(level, rel=0.02)
    assert np.isfinite(list(curve.params.values())).all()


@pytest.mark.parametrize("law", LAWS)
def test_the_order_of_rows_does_not_matter(law, plain):
    points, objective, curve = plain[law]
    odd = fit(points.take(np.random.default_rng(1).permutation(len(points))), law, objective)
    assert odd.params == curve.params
    assert odd.objective == curve.objective


@pytest.mark.parametrize("law", LAWS)
def test_too_few_amounts_are_refused(law, plain):
    points, objective, _ = plain[law]
    places = np.unique(np.stack(list(points.x.values())), axis=1)[
        :, : LAWS[law].for_amounts(tuple(points.x)).min_amounts - 1
    ]
    few = Points(
        dict(zip(points.x, places, strict=True)),
        np.full(places.shape[1], 0.5),
        None if points.trials is None else np.full(places.shape[1], 100.0),
    )
    with pytest.raises(ValueError, match="measure more amounts or choose a law with fewer parameters"):
        fit(few, law, objective)


@pytest.mark.parametrize("law", LAWS)
def test_a_good_fit_carries_no_warning_about_the_search(law, plain):
    _, _, curve = plain[law]
    assert not {"few_starts_agree", "not_converged"} & set(curve.warnings)
    assert curve.starts >= 3
    assert set(curve.params) == set(LAWS[law].for_amounts(tuple(curve.points.x)).names)
    assert len(TRUE[law]) == len(curve.params)


def test_every_code_has_a_meaning_and_a_remedy():
    assert explain("bound:b") == "parameter b ends at its bound"
    assert "{" not in "".join(explain(f"{code}:b") + remedy(f"{code}:b") for code in WARNINGS)
    assert all(remedy(code) for code in WARNINGS)
    documented = (Path(__file__).parents[2] / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert all(f"`{code}`" in documented for code in WARNINGS)
