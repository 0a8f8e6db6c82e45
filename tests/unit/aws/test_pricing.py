from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.aws.pricing import Estimate, Item, Price, price_of, refusal_of, usd_per_h


def of(
    *,
    training_type: str = "ml.m5.large",
    hosting_type: str = "ml.m5.large",
    count: int = 1,
    max_runtime_s: float = 1800,
    hosting_h: float = 1,
    region: str = "us-east-1",
    stated: dict[str, float] | None = None,
    listed: dict[tuple[str, str], Price] | None = None,
    processing_type: str | None = None,
) -> Estimate:
    training_price = price_of("Training", training_type, stated=stated or {}, listed=listed or {})
    hosting_price = price_of("Hosting", hosting_type, stated=stated or {}, listed=listed or {})
    return Estimate(
        Item("training", training_type, count, max_runtime_s / 3600, training_price),
        Item("hosting", hosting_type, 1, hosting_h, hosting_price),
        region,
        processing=() if processing_type is None else _processing(processing_type, stated or {}, listed or {}),
    )


def _processing(name: str, stated: dict[str, float], listed: dict[tuple[str, str], Price]) -> tuple[Item, ...]:
    price = price_of("Processing", name, stated=stated, listed=listed)
    return Item("clean", name, 1, 0.5, price), Item("encode", name, 4, 0.5, price)


def test_a_run_is_priced_by_its_limits():
    estimated = of(count=2, hosting_h=3)
    assert estimated.training.usd == pytest.approx(2 * 0.115 * 0.5)
    assert estimated.hosting.usd == pytest.approx(3 * 0.115)
    assert estimated.total_usd == pytest.approx(0.46)
    assert "at most 0.46 USD" in estimated.sentence()
    assert not estimated.is_estimate


def test_a_price_of_the_configuration_goes_before_the_list_and_the_list_before_the_table():
    listed = {("Training", "ml.m5.large"): Price(0.2, "price-list", "eu-west-1", "2026-11-30")}
    assert price_of("Training", "ml.m5.large", stated={"ml.m5.large": 0.3}, listed=listed) == Price(
        0.3, "configuration"
    )
    assert price_of("Training", "ml.m5.large", stated={}, listed=listed) == listed["Training", "ml.m5.large"]
    assert price_of("Hosting", "ml.m5.large", stated={}, listed=listed) == Price(
        0.115, "bundled", "us-east-1", "2026-09-27"
    )


def test_every_instance_of_the_tutorial_has_a_price():
    assert usd_per_h("ml.c4.2xlarge") is not None
    assert usd_per_h("ml.m4.xlarge") is not None
    assert usd_per_h(None) is None


def test_a_type_without_a_price_is_unknown_and_never_free():
    estimated = of(training_type="ml.x9.huge")
    assert usd_per_h("ml.x9.huge") is None
    assert estimated.total_usd is None
    assert estimated.unknown_types == ("ml.x9.huge",)
    assert estimated.training.cost_usd(60) is None
    refusal = refusal_of(estimated, 1_000)
    assert refusal is not None
    assert "ml.x9.huge has no price" in refusal.what
    assert "--set 'cost.price_usd_per_h={ml.x9.huge: 1.23}'" in refusal.hint
    assert refusal_of(of(training_type="ml.x9.huge", stated={"ml.x9.huge": 1.23}), 1_000) is None


def test_the_refusal_names_the_price_and_the_cap():
    refusal = refusal_of(of(), 0.10)
    assert refusal is not None
    assert "at most 0.17 USD" in refusal.what
    assert "cap of 0.10 USD" in refusal.what
    assert refusal.exit_code == 2


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"region": "eu-west-1"}, "an estimate for eu-west-1 from the bundled table of us-east-1"),
        ({"hosting_type": "ml.m8g.large"}, "an estimate, the upper bound from EC2's price in us-east-1"),
    ],
    ids=["other-region", "derived"],
)
def test_an_estimate_is_marked_in_the_text_and_in_the_json(changed, words):
    estimated = of(**changed)
    assert estimated.sentence().startswith("by estimate at most ")
    assert words in " ".join(estimated.sources())
    assert estimated.to_json(1.0)["is_estimate"] is True


def test_a_price_of_the_region_itself_is_no_estimate():
    listed = {
        (use, "ml.m5.large"): Price(0.128, "price-list", "eu-west-1", "2026-11-30") for use in ("Training", "Hosting")
    }
    estimated = of(region="eu-west-1", listed=listed)
    assert not estimated.is_estimate
    assert list(estimated.sources()) == ["Price of ml.m5.large: AWS's Price List of eu-west-1, 2026-11-30."]


def test_the_json_has_the_worst_case_the_cap_and_the_source_of_each_price():
    values = json.loads(json.dumps(of(stated={"ml.g5.xlarge": 2.0}, hosting_type="ml.g5.xlarge").to_json(1.0)))
    assert values["worst_case_usd"] == pytest.approx(0.0575 + 2.0)
    assert values["cap_usd"] == 1.0
    assert (values["training"]["source"], values["training"]["source_date"]) == ("bundled", "2026-09-27")
    assert (values["hosting"]["source"], values["hosting"]["source_date"]) == ("configuration", None)


def test_stages_that_run_as_jobs_are_in_the_price_with_their_machines():
    estimated = of(processing_type="ml.m5.xlarge")
    assert estimated.total_usd == pytest.approx(0.5 * 0.23 + 0.5 * 4 * 0.23 + 0.0575 + 0.115)
    assert estimated.sentence() == (
        "at most 0.75 USD (clean up to 0.12, encode up to 0.46, training up to 0.06, hosting 0.115 an hour)"
    )
    values = estimated.to_json(1.0)
    assert (values["clean"]["instance_count"], values["encode"]["instance_count"]) == (1, 4)
    assert values["encode"]["usd"] == pytest.approx(0.46)
    assert next(estimated.sources()).startswith("Price of ml.m5.xlarge and ml.m5.large: the bundled table")
    several = of(processing_type="ml.m5.xlarge", hosting_type="ml.t2.medium")
    assert next(several.sources()).startswith("Price of ml.m5.xlarge, ml.m5.large and ml.t2.medium: the bundled")
    refusal = refusal_of(estimated, 0.5)
    assert refusal is not None
    assert "shorten 'processing.max_runtime_s' or 'training.max_runtime_s'" in refusal.hint


def test_a_stage_on_a_type_without_a_price_makes_the_total_unknown():
    estimated = of(processing_type="ml.x9.huge")
    assert (estimated.total_usd, estimated.unknown_types) == (None, ("ml.x9.huge",))
    listed = {("Processing", "ml.x9.huge"): Price(2.0, "price-list", "us-east-1", "2026-11-30")}
    assert of(processing_type="ml.x9.huge", listed=listed).total_usd == pytest.approx(5.1725)


@given(st.integers(1, 20), st.integers(60, 432_000), st.floats(0, 100), st.floats(0.01, 1_000))
def test_a_run_is_refused_exactly_when_it_may_cost_more_than_the_cap(count, max_runtime_s, hosting_h, max_usd):
    estimated = of(count=count, max_runtime_s=max_runtime_s, hosting_h=hosting_h)
    assert estimated.total_usd is not None
    assert (refusal_of(estimated, max_usd) is not None) == (estimated.total_usd > max_usd)
