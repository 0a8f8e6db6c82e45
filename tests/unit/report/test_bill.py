"""The worst case before a run, and the bill after it, from the files of its directory."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from asteroid_ll.aws.price_list import store_prices
from asteroid_ll.aws.pricing import Price
from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.report.bill import bill_of, endpoint_time, job_time, priced_types, worst_case
from asteroid_ll.report.tables import bill_rows
from asteroid_ll.run.journal import History

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


def at(minute: int, event: str, resource: str = "e", **facts: object) -> dict[str, object]:
    when = NOON.replace(minute=minute).isoformat(timespec="milliseconds")
    return {"v": 1, "at": when, "event": event, "stage": "x", "resource": resource, **facts}


def created(minute: int, **facts: object) -> dict[str, object]:
    return at(minute, "intent", bills="endpoint", **facts)


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((), (None, False)),
        ((created(0), at(10, "gone")), (600.0, False)),
        ((created(0), created(5), at(10, "gone")), (600.0, False)),
        ((created(0), at(10, "gone"), created(20), at(25, "gone")), (900.0, False)),
        ((created(0),), (1800.0, True)),
        ((created(0), at(10, "gone"), created(20)), (1200.0, True)),
        ((at(0, "intent", "job", bills="training-job"), at(10, "gone", "job")), (None, False)),
        ((created(10), at(0, "gone")), (0.0, False)),
        ((created(0, run="another"), at(10, "gone", run="another")), (None, False)),
    ],
    ids=["none", "once", "adopted", "twice", "open", "open-again", "a-job", "clock-set-back", "copied-directory"],
)
def test_an_endpoint_is_billed_from_its_creation_to_its_proven_deletion(records, expected):
    assert endpoint_time(History(tuple(records), "this"), "e", now=NOON.replace(minute=30)) == expected


@pytest.mark.parametrize("at", ["noon", 12, None])
def test_a_damaged_time_in_the_journal_is_named(at):
    with pytest.raises(DataError, match=f"{at!r} as the time"):
        endpoint_time(History(({**created(0), "at": at},)), "e", now=NOON)


@pytest.mark.parametrize("seconds", ["90", [90], True, -1, float("inf"), float("nan")], ids=repr)
def test_damaged_billable_seconds_are_named(tmp_path, seconds):
    write(tmp_path, "train/job.json", billable_s=seconds)
    with pytest.raises(DataError, match="as the billable seconds of the job"):
        bill_of(tmp_path, on_aws(), History(()))


def write(directory: Path, file: str, **values: object) -> None:
    path = directory / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values), "utf-8")


def on_aws(**changed: object) -> Config:
    role = "arn:aws:iam::111122223333:role/x"
    return Config.model_validate({"target": "aws", "role_arn": role, "region": "eu-west-1", **changed})


def test_the_bill_has_the_prices_of_the_estimate_beside_the_worst_case(tmp_path):
    config = on_aws(training={"instance_count": 2}, encode={"n_shards": 2})
    prices = {
        ("Training", "ml.m5.large"): Price(0.128, "price-list", "eu-west-1", "2026-11-30"),
        ("Hosting", "ml.t2.medium"): Price(0.06, "price-list", "eu-west-1", "2026-11-30"),
    }
    store_prices(tmp_path / "prices.json", prices, region="eu-west-1", now_s=NOON.timestamp() - 1e8)
    write(tmp_path, "train/job.json", billable_s=90)
    write(tmp_path, "deploy/endpoint.json", name="e")
    bill = bill_of(tmp_path, config, History((created(0), at(10, "gone"))))
    assert bill["training"]["usd"] == pytest.approx(90 * 2 * 0.128 / 3600)
    assert bill["training"]["worst_case_usd"] == pytest.approx(0.5 * 2 * 0.128)
    assert bill["endpoint"]["usd"] == pytest.approx(600 * 0.06 / 3600)
    assert bill["endpoint"]["worst_case_usd"] == pytest.approx(2 * 0.06)
    assert bill["usd"] == pytest.approx(0.0064 + 0.01)
    assert bill["worst_case_usd"] == pytest.approx(worst_case(config, prices).total_usd)
    assert not bill["is_estimate"]
    assert bill_rows(bill)[1:] == [
        ("Training job", "2 x ml.m5.large", "90", "0.128", "0.0064", "0.1280"),
        ("Endpoint", "1 x ml.t2.medium", "600", "0.06", "0.0100", "0.1200"),
        ("Total", "", "", "", "0.0164", "0.2480"),
    ]


def test_a_run_that_has_created_nothing_has_no_costs(tmp_path):
    bill = bill_of(tmp_path, on_aws(), History(()))
    assert (bill["usd"], bill["training"]["usd"], bill["endpoint"]["usd"]) == (None, None, None)
    assert bill["is_estimate"]
    assert bill_rows(bill)[-1][-2:] == ("–", "0.1695")


def test_an_open_endpoint_is_marked(tmp_path):
    write(tmp_path, "deploy/endpoint.json", name="e")
    bill = bill_of(tmp_path, on_aws(), History((created(0),)), now=NOON.replace(minute=1))
    assert bill["endpoint"]["is_open"]
    assert bill_rows(bill)[2][2] == "60, open"


def test_a_type_without_a_price_has_no_cost_and_makes_the_total_unknown(tmp_path):
    write(tmp_path, "train/job.json", billable_s=90)
    write(tmp_path, "deploy/endpoint.json", name="e")
    lived = History((created(0), at(10, "gone")))
    bill = bill_of(tmp_path, on_aws(training={"instance_type": "ml.p5e.48xlarge"}), lived)
    assert bill["endpoint"]["usd"] == pytest.approx(600 * 0.056 / 3600, abs=1e-6)
    assert bill["usd"] is None
    assert bill["training"]["usd"] is None
    assert bill["worst_case_usd"] is None


def started(minute: int, name: str = "t") -> dict[str, object]:
    return at(minute, "intent", name, bills="transform-job")


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ((), (None, False)),
        ((started(0), at(10, "gone", "t", billed_s=42.5)), (42.5, False)),
        ((started(0), at(10, "gone", "t")), (600.0, False)),
        ((started(0), at(10, "gone", "t", billed_s="soon")), (600.0, False)),
        ((started(0),), (1800.0, True)),
        ((started(0), at(1, "gone", "t", billed_s=9), started(2, "t-2"), at(4, "gone", "t-2")), (129.0, False)),
        ((created(0), at(10, "gone")), (None, False)),
    ],
    ids=["none", "billed", "failed", "damaged", "open", "two", "an-endpoint"],
)
def test_a_transform_job_is_billed_by_its_own_times_else_by_the_journals(records, expected):
    assert job_time(History(tuple(records), "this"), "transform-job", now=NOON.replace(minute=30)) == expected


def test_a_batch_run_is_priced_and_billed_by_its_transform_jobs(tmp_path):
    hosting = {"mode": "batch", "transform_instance_type": "ml.m5.xlarge", "transform_max_runtime_s": 600}
    config = on_aws(hosting=hosting, region="us-east-1")
    estimate = worst_case(config, {})
    assert estimate.sentence() == "at most 0.10 USD (training up to 0.06, batch transform up to 0.04)"
    bill = bill_of(tmp_path, config, History((started(0), at(10, "gone", "t", billed_s=100))))
    assert "endpoint" not in bill
    assert bill["transform"]["usd"] == pytest.approx(0.23 * 100 / 3600, abs=1e-6)
    assert bill["usd"] == bill["transform"]["usd"]
    assert bill_rows(bill)[2] == ("Batch transform", "1 x ml.m5.xlarge", "100", "0.23", "0.0064", "0.0383")


def processed(minute: int, stage: str, name: str) -> dict[str, object]:
    return {**at(minute, "intent", name, bills="processing-job"), "stage": stage}


def test_stages_that_run_as_jobs_are_priced_and_billed_each_with_its_machines(tmp_path):
    jobs = {"instance_type": "ml.m5.4xlarge", "instance_count": 3, "max_runtime_s": 600}
    shared = {"stages": {"where": "processing"}, "encode": {"n_shards": 3}, "region": "us-east-1"}
    config = on_aws(processing=jobs, **shared)
    assert ("Processing", "ml.m5.4xlarge") in priced_types(config)
    listed = {("Processing", "ml.m5.4xlarge"): Price(0.9, "price-list", "us-east-1", "2026-11-30")}
    assert worst_case(config, listed).sentence() == (
        "at most 0.77 USD (clean up to 0.15, encode up to 0.45, training up to 0.06, hosting 0.056 an hour)"
    )
    store_prices(tmp_path / "prices.json", listed, region="us-east-1", now_s=NOON.timestamp())
    records = [
        *(processed(0, "clean", "c"), at(1, "gone", "c", billed_s=40), processed(1, "clean", "c-2")),
        *(at(3, "gone", "c-2"), processed(4, "encode", "e"), at(9, "gone", "e", billed_s=100.5)),
    ]
    bill = bill_of(tmp_path, config, History(tuple(records)))
    assert bill["clean"]["usd"] == pytest.approx((40 + 120) * 0.9 / 3600)
    assert bill["encode"]["usd"] == pytest.approx(100.5 * 3 * 0.9 / 3600, abs=1e-6)
    assert bill["usd"] == pytest.approx(bill["clean"]["usd"] + bill["encode"]["usd"], abs=2e-6)
    assert bill_rows(bill)[1:3] == [
        ("Clean job", "1 x ml.m5.4xlarge", "160", "0.9", "0.0400", "0.1500"),
        ("Encode job", "3 x ml.m5.4xlarge", "101", "2.7", "0.0754", "0.4500"),
    ]


def test_a_job_of_a_stage_stays_in_the_bill_if_the_stage_moves_to_this_machine(tmp_path):
    bill = bill_of(tmp_path, on_aws(), History((processed(0, "clean", "c"),)), now=NOON.replace(minute=1))
    assert (bill["clean"]["billable_s"], bill["clean"]["is_open"]) == (60.0, True)
    assert "encode" not in bill
    assert ("Processing", "ml.m5.xlarge") not in priced_types(on_aws())


def test_a_serverless_endpoint_is_priced_by_its_requests_and_its_idle_time_is_not_billed(tmp_path):
    config = on_aws(hosting={"mode": "serverless", "memory_size_mb": 3072}, region="us-east-1")
    estimate = worst_case(config, {})
    # 0.00006 USD per second: AWS's Price List, USE1-ServerlessInf:Mem-3GB, effective 2026-09-01
    assert estimate.hosting.usd == pytest.approx(60 * 60 * 0.00006)
    assert not estimate.is_estimate
    assert estimate.sentence().endswith("serverless requests up to 0.22, nothing while idle)")
    assert "Price of serverless 3072 MB: the bundled table of us-east-1, 2026-09-01." in list(estimate.sources())
    write(tmp_path, "deploy/endpoint.json", name="e")
    bill = bill_of(tmp_path, config, History((created(0), at(10, "gone"))))
    assert bill["endpoint"]["usd"] is None
    assert bill_rows(bill)[2] == ("Endpoint", "serverless 3072 MB", "–", "–", "–", "0.2160")
    assert bill["usd"] is None
    assert bill["prices"].endswith("The requests to the serverless endpoint are not counted.")
    assert worst_case(on_aws(hosting={"mode": "serverless"}), {}).is_estimate


def test_a_run_that_has_scored_in_both_ways_has_both_in_its_bill(tmp_path):
    write(tmp_path, "deploy/endpoint.json", name="e")
    bill = bill_of(tmp_path, on_aws(), History((created(0), at(10, "gone"), started(0), at(1, "gone", "t"))))
    assert (bill["endpoint"]["billable_s"], bill["transform"]["billable_s"]) == (600.0, 60.0)
    assert [row[0] for row in bill_rows(bill)[1:]] == ["Training job", "Endpoint", "Batch transform", "Total"]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("endpoint", "Not counted: 1 other training job and 1 other endpoint of this run directory."),
        ("batch", "Not counted: 1 other training job and 2 other endpoints of this run directory."),
    ],
)
def test_jobs_and_endpoints_of_earlier_settings_are_named_as_not_counted(tmp_path, mode, expected):
    write(tmp_path, "train/job.json", billable_s=90, name="j-2")
    write(tmp_path, "deploy/endpoint.json", name="e" if mode == "endpoint" else "m")
    jobs = [at(0, "intent", name, bills="training-job", run="this") for name in ("j", "j-2", "j")]
    endpoints = [created(0, run="this"), at(1, "intent", "e-2", bills="endpoint", run="this")]
    foreign = at(1, "intent", "e-3", bills="endpoint", run="another")
    history = History((*jobs, *endpoints, foreign, at(2, "intent", "m", bills="model", run="this")), "this")
    bill = bill_of(tmp_path, on_aws(hosting={"mode": mode}), history)
    assert bill["not_counted"] == expected
    assert bill["prices"].endswith(expected)


TYPES = ["ml.m5.large", "ml.c5.4xlarge", "ml.c5.xlarge"]


def test_the_worst_case_of_several_types_is_the_dearest_on_demand():
    dearest = worst_case(on_aws(training={"instance_type": TYPES, "spot": True}), {}).training
    assert dearest == worst_case(on_aws(training={"instance_type": "ml.c5.4xlarge"}), {}).training
    unknown = worst_case(on_aws(training={"instance_type": ["ml.m5.large", "ml.zz9.large"]}), {})
    assert (unknown.training.instance_type, unknown.total_usd) == ("ml.zz9.large", None)


def test_the_bill_of_several_types_is_that_of_the_one_that_ran(tmp_path):
    write(tmp_path, "train/job.json", billable_s=90, instance_type="ml.m5.large")
    bill = bill_of(tmp_path, on_aws(training={"instance_type": TYPES}), History(()))["training"]
    alone = bill_of(tmp_path, on_aws(training={"instance_type": "ml.m5.large"}), History(()))["training"]
    assert (bill["instances"], bill["usd"]) == (alone["instances"], alone["usd"]) != (None, None)
    assert bill["worst_case_usd"] > alone["worst_case_usd"]
