"""Prices from AWS's Price List, and their copy: only a price of the run's region and machine counts."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from asteroid_ll.aws.price_list import MAX_AGE_S, read_prices, store_prices, stored_prices
from asteroid_ll.aws.pricing import Price
from asteroid_ll.errors import AwsError

TRAINING = ("Training", "ml.m5.large")
NOW_S = datetime(2026, 11, 30, tzinfo=UTC).timestamp()
PRICES = {TRAINING: Price(0.128, "price-list", "eu-west-1", "2026-11-30")}


def product(usd: object, *, unit: str = "Hrs", **changed: str) -> str:
    """A product as AWS documents it, with one on-demand term."""
    attributes = {"regionCode": "eu-west-1", "instanceName": "ml.m5.large", "component": "Training", **changed}
    dimension = {"unit": unit, "pricePerUnit": {"USD": usd}, "beginRange": "0", "endRange": "Inf"}
    terms = {"OnDemand": {"SKU.TERM": {"priceDimensions": {"SKU.TERM.RATE": dimension}}}}
    return json.dumps({"product": {"productFamily": "ML Instance", "attributes": attributes}, "terms": terms})


@pytest.fixture
def listed(make_aws, script):
    """Read the prices of an answer for a run in eu-west-1."""

    def read(*items: object):
        script.on("GetProducts", {"FormatVersion": "aws_v1", "PriceList": list(items)})
        return read_prices(make_aws(region="eu-west-1"), [TRAINING], today="2026-11-30")

    return read


def test_the_price_is_that_of_the_region_the_machine_and_the_use(listed, script):
    assert listed(product("0.1280000000")) == PRICES
    [(_, request)] = [call for call in script.calls if call[0] == "GetProducts"]
    assert request["ServiceCode"] == "AmazonSageMaker"
    assert {item["Field"]: item["Value"] for item in request["Filters"]} == {
        "regionCode": "eu-west-1",
        "instanceName": "ml.m5.large",
        "component": "Training",
    }


def test_of_several_prices_the_highest_counts(listed):
    assert listed(product("0.1"), product("0.3"), product("0.2"))[TRAINING].usd_per_h == 0.3


@pytest.mark.parametrize(
    "item",
    [
        "{",
        "[]",
        "null",
        "{}",
        "[" * 100_000,
        product("cheap"),
        product("nan"),
        product("inf"),
        product("0.0000000000"),
        product("-1"),
        product(None),
        product("0.1", unit="Seconds"),
        product("0.1", regionCode="us-east-1"),
        product("0.1", component="Hosting"),
        json.dumps({"product": {"attributes": {}}, "terms": {"OnDemand": [1]}}),
    ],
    ids=lambda item: item[:12],
)
def test_an_item_that_is_no_price_of_this_machine_is_passed_over(listed, item):
    assert listed(item) == {}
    assert listed(item, product("0.128")) == PRICES


@pytest.mark.parametrize("answer", ["refusal", "garbage", "reset"])
def test_a_list_that_cannot_be_read_is_asked_once_and_is_an_error(make_aws, script, say, answer):
    denied = say.refusal("AccessDeniedException", "User is not authorized to perform: pricing:GetProducts")
    broken = type(denied)(200, {"Content-Type": "text/html"}, b"<html>Sign in</html>")
    script.on(
        "GetProducts", {"refusal": denied, "garbage": broken, "reset": ConnectionResetError(104, "reset")}[answer]
    )
    with pytest.raises(AwsError if answer != "reset" else Exception) as failed:
        read_prices(make_aws(), [TRAINING, ("Hosting", "ml.m5.large")], today="2026-11-30")
    assert script.names() == ["GetProducts"]
    assert answer != "refusal" or "AWS denied pricing:GetProducts" in str(failed.value)


def test_another_partition_is_not_asked(make_aws, script):
    assert read_prices(make_aws(region="cn-north-1"), [TRAINING], today="2026-11-30") == {}
    assert script.names() == []


def test_the_client_of_the_list_waits_for_two_seconds_and_does_not_try_again(make_aws):
    config = make_aws(region="eu-west-1").price_list.meta.config
    assert (config.connect_timeout, config.read_timeout) == (2, 2)
    assert config.retries["total_max_attempts"] == 1
    assert config.region_name == "us-east-1"


def test_a_copy_gives_the_prices_with_their_day(tmp_path):
    path = tmp_path / "prices.json"
    store_prices(path, PRICES, region="eu-west-1", now_s=NOW_S)
    assert stored_prices(path, region="eu-west-1", now_s=NOW_S + MAX_AGE_S) == PRICES
    assert stored_prices(path, region="eu-west-1") == PRICES


@pytest.mark.parametrize(
    ("region", "later_s"),
    [("us-east-1", 0), ("eu-west-1", MAX_AGE_S + 1), ("eu-west-1", -1)],
    ids=["other-region", "too-old", "from-the-future"],
)
def test_a_copy_of_another_place_or_time_is_ignored(tmp_path, region, later_s):
    path = tmp_path / "prices.json"
    store_prices(path, PRICES, region="eu-west-1", now_s=NOW_S)
    assert stored_prices(path, region=region, now_s=NOW_S + later_s) == {}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"read_at": "yesterday"},
        {"read_at": 5},
        {"usd_per_h": 3},
        {"usd_per_h": {"Training": [1]}},
        {"usd_per_h": {"Training": {"ml.m5.large": "0.1"}}},
        {"usd_per_h": {"Training": {"ml.m5.large": -0.1}}},
        {"usd_per_h": {"Training": {"ml.m5.large": True}}},
        {"usd_per_h": {"Training": {"ml.m5.large": 1e999}}},
    ],
    ids=str,
)
def test_a_damaged_copy_is_ignored(tmp_path, change):
    path = tmp_path / "prices.json"
    store_prices(path, PRICES, region="eu-west-1", now_s=NOW_S)
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")
    assert stored_prices(path, region="eu-west-1", now_s=NOW_S) == {}


def test_a_missing_or_cut_copy_is_ignored(tmp_path):
    path = tmp_path / "prices.json"
    assert stored_prices(path, region="eu-west-1", now_s=NOW_S) == {}
    path.write_bytes(b'{"version": 1, "regi')
    assert stored_prices(path, region="eu-west-1", now_s=NOW_S) == {}
