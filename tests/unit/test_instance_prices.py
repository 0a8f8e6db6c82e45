from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest
from botocore.session import Session

from asteroid_ll.instance_prices import BundledPrice, bundled_prices

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "src" / "asteroid_ll" / "data" / "instance_prices.json"

WITHOUT_PRICE = ["ml.p5e.48xlarge", "ml.p6e-gb200.36xlarge", "ml.trn2.48xlarge"]
"""Neither source has an on-demand price of these."""


@pytest.fixture(scope="module")
def script() -> ModuleType:
    specification = importlib.util.spec_from_file_location("build_prices", ROOT / "scripts" / "build_prices.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def accepted_types() -> set[str]:
    shapes = Session().get_component("data_loader").load_service_model("sagemaker", "service-2")["shapes"]
    names = ("TrainingInstanceType", "ProductionVariantInstanceType", "ProcessingInstanceType")
    return {name for shape in names for name in shapes[shape]["enum"]}


def test_every_type_that_sagemaker_accepts_has_a_price_or_is_listed():
    assert accepted_types() - bundled_prices().keys() <= set(WITHOUT_PRICE)
    assert not bundled_prices().keys() & set(WITHOUT_PRICE)
    assert json.loads(TABLE.read_text(encoding="utf-8"))["without_price"] == WITHOUT_PRICE


def test_the_table_is_what_its_script_makes(script):
    source = json.loads(script.SOURCE.read_text(encoding="utf-8"))
    made = json.dumps(script.table_of(source), indent=1) + "\n"
    assert made == TABLE.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("name", "usd_per_h"),
    [
        ("ml.m5.large", 0.115),  # AWS Price List, usage type USE1-Train:ml.m5.large, 2026-08-11
        ("ml.m5.xlarge", 0.23),  # USE1-Host:ml.m5.xlarge, 2026-06-27
        ("ml.m5.2xlarge", 0.461),  # USE1-Host:ml.m5.2xlarge, 2026-09-28
        ("ml.g5.2xlarge", 1.515),  # USE1-Train:ml.g5.2xlarge, 2026-08-20
        ("ml.p3.8xlarge", 14.688),  # aws.amazon.com/sagemaker/pricing
    ],
)
def test_a_price_is_that_of_an_independent_reading_to_a_cent(name, usd_per_h):
    price = bundled_prices()[name]
    assert not price.is_derived
    assert price.usd_per_h == pytest.approx(usd_per_h, abs=0.01)


def test_a_processing_job_costs_what_training_costs():
    listed = json.loads(TABLE.read_text(encoding="utf-8"))["processing"]["usd_per_h"]
    assert listed == {
        name: bundled_prices()[name].usd_per_h for name in ("ml.m5.large", "ml.m5.xlarge", "ml.t3.medium")
    }


def test_a_derived_price_is_no_less_than_what_sagemaker_would_take_at_the_widest_ratio(script):
    source = {
        "region": "us-east-1",
        "currency": "USD",
        "unit": "hour",
        "sagemaker": [{"source": "list", "date": "2026-01-01", "usd_per_h": {"ml.a.large": 0.15, "ml.b.large": 0.24}}],
        "processing": {},
        "ec2": {"source": "ec2", "date": "2026-02-02", "usd_per_h": {"a.large": 0.10, "b.large": 0.20, "c.large": 0.3}},
        "without_price": ["ml.d.large"],
    }
    table = script.table_of(source)
    assert table["derived"]["usd_per_h"] == {"ml.c.large": pytest.approx(0.45, abs=2e-4)}
    assert table["derived"]["usd_per_h"]["ml.c.large"] >= 0.45
    assert table["without_price"] == ["ml.d.large"]


def test_prices_that_were_bundled_before_are_not_lower_now_than_their_family_costs():
    # EC2's m4.xlarge is 0.20 USD; SageMaker took 1.4 times as much before April 2021 and 1.2 times since.
    price = bundled_prices()["ml.m4.xlarge"]
    assert price == BundledPrice(price.usd_per_h, "2026-07-20", is_derived=True)
    assert price.usd_per_h == pytest.approx(0.28, rel=0.01)


def test_every_price_is_positive_and_no_type_costs_more_than_the_dearest_machine():
    assert all(0 < price.usd_per_h < 250 for price in bundled_prices().values())
