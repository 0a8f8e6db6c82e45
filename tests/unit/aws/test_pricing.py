from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.aws.pricing import Estimate, estimate, refuse_above, usd_per_h
from asteroid_ll.errors import ConfigError


def of(**changed: object) -> Estimate:
    arguments: dict[str, object] = {
        "training_type": "ml.m5.large",
        "training_count": 1,
        "max_runtime_s": 1800,
        "hosting_type": "ml.m5.large",
        "hosting_count": 1,
        "hosting_h": 1,
        "region": "us-east-1",
    }
    return estimate(**(arguments | changed))


def test_a_run_is_priced_by_its_limits():
    estimated = of(training_count=2, hosting_h=3)
    assert estimated.training_usd == pytest.approx(2 * 0.115 * 0.5)
    assert estimated.hosting_usd == pytest.approx(3 * 0.115)
    assert estimated.total_usd == pytest.approx(0.46)
    assert "0.46 USD" in estimated.sentence()


def test_every_instance_of_the_tutorial_has_a_price():
    assert usd_per_h("ml.c4.2xlarge") is not None
    assert usd_per_h("ml.m4.xlarge") is not None


def test_a_type_without_a_price_is_unknown_and_never_free():
    estimated = of(training_type="ml.x9.huge")
    assert usd_per_h("ml.x9.huge") is None
    assert estimated.total_usd is None
    assert estimated.unknown_types == ("ml.x9.huge",)
    with pytest.raises(ConfigError, match=r"ml\.x9\.huge"):
        refuse_above(estimated, 1_000)


def test_the_refusal_names_the_price_and_the_cap():
    with pytest.raises(ConfigError, match=r"at most 0\.17 USD.* cap of 0\.10 USD"):
        refuse_above(of(), 0.10)


def test_prices_of_another_region_are_named():
    assert "us-east-1" in of(region="eu-west-1").sentence()
    assert "us-east-1" not in of().sentence()


@given(st.integers(1, 20), st.integers(60, 432_000), st.floats(0, 100), st.floats(0.01, 1_000))
def test_a_run_is_refused_exactly_when_it_may_cost_more_than_the_cap(count, max_runtime_s, hosting_h, max_usd):
    estimated = of(training_count=count, max_runtime_s=max_runtime_s, hosting_h=hosting_h)
    assert estimated.total_usd is not None
    if estimated.total_usd > max_usd:
        with pytest.raises(ConfigError):
            refuse_above(estimated, max_usd)
    else:
        refuse_above(estimated, max_usd)
