"""An effect with its variance becomes a finding, with power, and among others of its report."""

import numpy as np
import pytest

from analysis.verdicts.verdict import as_a_family, holm, judge
from analysis.verdicts.wording import qualification
from tests.analysis.verdicts.arms import ACCURACY


def test_findings_follow_from_interval_and_margin():
    assert judge("", "", 0.05, 0.01**2, np.inf, 0.02, ACCURACY).finding == "up"
    assert judge("", "", -0.05, 0.01**2, np.inf, 0.02, ACCURACY).finding == "down"
    assert judge("", "", 0.005, 0.005**2, np.inf, 0.02, ACCURACY).finding == "equal"
    assert judge("", "", 0.01, 0.03**2, np.inf, 0.02, ACCURACY).finding == "undecided"
    few = judge("", "", 0.05, 0.02**2, 2.0, 0.02, ACCURACY)
    assert few.finding == "undecided"  # 0.05 is 2.5 standard errors, but t with 2 degrees of freedom asks for 4.3
    assert (few.high - few.effect) / 0.02 == pytest.approx(4.303, abs=1e-3)


def test_power_and_detectable_effect_agree():
    verdict = judge("", "", 0.0, 0.01**2, np.inf, 0.02, ACCURACY)
    assert verdict.power == pytest.approx(0.516, abs=1e-3)  # the normal, two standard errors against 1.96
    assert verdict.detectable == pytest.approx((1.95996 + 0.84162) * 0.01, rel=1e-4)
    assert judge("", "", 0.0, 0.01**2, np.inf, verdict.detectable, ACCURACY).power == pytest.approx(0.8, abs=1e-3)


def test_without_noise_known_nothing_is_decided():
    verdict = judge("", "", 0.5, float("nan"), 0.0, 0.02, ACCURACY)
    assert verdict.finding == "undecided"
    assert np.isnan([verdict.low, verdict.power]).all()


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, float("nan")])[:3] == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_effects_are_adjusted_over_the_whole_report():
    clear = judge("scaling", "a", 0.10, 0.01**2, np.inf, 0.02, ACCURACY)
    fair = judge("synergy", "b", 0.025, 0.01**2, np.inf, 0.02, ACCURACY)  # p .012: clear alone, and among four
    weak = judge("size", "c", 0.021, 0.01**2, np.inf, 0.02, ACCURACY)  # p .036: clear alone only
    none = judge("size", "d", 0.0, 0.01**2, np.inf, 0.02, ACCURACY)
    family = as_a_family([clear, fair, weak, none])
    assert [v.finding for v in family] == ["up", "up", "undecided", none.finding]
    assert [v.withdrawn_among for v in family] == [0, 0, 4, 0]
    assert family[2].p == pytest.approx(2 * weak.p)  # the third of four
    assert "not significant among the 4 effects of this report" in qualification(family[2])
    assert (family[2].low, family[2].high) == (weak.low, weak.high)
