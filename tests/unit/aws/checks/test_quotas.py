"""The machines: a quota of 0 and a type that the region lacks are one failed line each, with their command."""

from __future__ import annotations

from dataclasses import replace

import pytest

from asteroid_ll.aws.checks.quotas import _CODES, Need, _offer, _quota, machine_checks
from asteroid_ll.errors import ConfigError

TRAINING = Need("training", "training.instance_type", "training job", "ml.m5.large", 2)
HOSTING = Need("hosting", "hosting.instance_type", "endpoint", "ml.t2.medium", 1, is_priced=True)


def results(desk, *needs):
    return {check.name: check for check in machine_checks(desk.aws(), needs or (TRAINING, HOSTING))}


@pytest.mark.parametrize("value", [2, 7])
def test_quotas_that_are_high_enough_pass(desk, shape_of, value):
    desk.account.configure(quotas={TRAINING.quota: value})
    checks = results(desk)
    assert shape_of(checks.values()) == dict.fromkeys(
        ("training type", "training quota", "hosting type", "hosting quota"), "ok"
    )
    assert checks["training quota"].fact == f"ml.m5.large for training job usage: {value}, needed: 2"


@pytest.mark.parametrize("value", [0, 1])
def test_a_quota_below_the_number_of_machines_is_raised_by_the_command(desk, value):
    desk.account.configure(quotas={TRAINING.quota: value})
    check = results(desk)["training quota"]
    assert (check.status, check.fact) == ("failed", f"ml.m5.large for training job usage: {value}, needed: 2")
    # The code is AWS's own.
    assert check.fixes == (
        "aws service-quotas request-service-quota-increase --region us-east-1 --service-code sagemaker "
        "--quota-code L-611FA074 --desired-value 2",
    )
    desk.paste(*check.fixes)
    assert results(desk)["training quota"].status == "ok"


def test_a_quota_is_raised_above_awss_default_because_aws_refuses_less(desk):
    desk.account.configure(quotas={HOSTING.quota: 0})
    check = results(desk)["hosting quota"]
    assert check.fixes[0].endswith("--quota-code L-29C181D7 --desired-value 3")  # the default is 2
    desk.paste(*check.fixes)
    assert results(desk)["hosting quota"].status == "ok"


def test_a_type_that_the_region_does_not_offer_is_replaced_by_a_near_one_with_a_quota(desk):
    desk.account.configure(quotas={"ml.m5.large for training job usage": 0})
    check = results(desk, replace(TRAINING, instance_type="ml.m5.larger"))["training type"]
    assert check.status == "failed"
    assert check.fact.startswith("us-east-1 does not offer ml.m5.larger for training jobs; the closest ")
    (fix,) = check.fixes
    assert fix.startswith("asteroid-ll doctor --set training.instance_type=ml.m5")
    assert "ml.m5.large" not in fix.split("=")


@pytest.mark.parametrize(
    ("instance_type", "closest"),
    [
        ("ml.m5.larger", "ml.m5.xlarge"),  # the quotas of the two that are more alike are 0 and unknown
        ("t2", "ml.t2.medium"),  # unlike all of them
    ],
)
def test_the_closest_type_has_a_quota_and_may_have_another_name_altogether(instance_type, closest):
    need = replace(TRAINING, instance_type=instance_type, count=1)
    values = {
        "ml.m5.large": {},
        "ml.m5.larges": {"Value": 0},
        "ml.m5.xlarge": {"Value": 1},
        "ml.t2.medium": {"Value": 1},
    }
    check = _offer(need, {f"{name} for training job usage": value for name, value in values.items()}, region="r")
    assert check.fixes == (f"asteroid-ll doctor --set training.instance_type={closest}",)
    assert (check.status, check.kind) == ("failed", ConfigError)


def test_a_quota_whose_value_aws_leaves_out_counts_as_0(desk):
    desk.refuse["GetAWSDefaultServiceQuota"] = "servicequotas:GetAWSDefaultServiceQuota"
    check = _quota(desk.aws(), replace(TRAINING, count=1), {"QuotaCode": "L-1"})
    assert (check.status, check.fact[:43]) == ("failed", "ml.m5.large for training job usage: 0, need")


def test_common_quotas_are_read_by_code_and_the_others_from_the_pages_until_all_are_found(desk):
    results(desk)
    assert desk.operations == ["GetServiceQuota", "GetServiceQuota"]
    desk.operations.clear()
    checks = results(desk, TRAINING, replace(HOSTING, instance_type="ml.c5.large", is_priced=False))
    n_pages = desk.operations.count("ListServiceQuotas")
    assert {check.status for check in checks.values()} == {"ok"}
    desk.operations.clear()
    results(desk, replace(TRAINING, instance_type="ml.none.large"))
    assert 1 <= n_pages < desk.operations.count("ListServiceQuotas")


def test_a_code_that_has_become_another_quotas_is_not_believed(desk, monkeypatch):
    monkeypatch.setitem(_CODES, TRAINING.quota, "L-614B09FD")
    desk.account.configure(quotas={TRAINING.quota: 1})
    assert results(desk)["training quota"].status == "failed"
    monkeypatch.setitem(_CODES, TRAINING.quota, "L-00000000")
    assert results(desk)["training quota"].status == "failed"
    assert "ListServiceQuotas" in desk.operations


def test_the_pages_are_as_long_as_aws_allows(desk):
    asked = []
    events = desk.aws().quotas.meta.events
    name = "provide-client-params.service-quotas.ListServiceQuotas"
    note = lambda params, **_: asked.append(params["MaxResults"])  # noqa: E731
    events.register(name, note)
    results(desk, replace(TRAINING, instance_type="ml.none.large"))
    events.unregister(name, note)
    assert set(asked) == {100}


@pytest.mark.parametrize("is_named", [True, False])
def test_if_awss_default_is_unknown_the_command_asks_for_what_is_needed(desk, is_named):
    desk.account.configure(quotas={HOSTING.quota: 0})
    desk.refuse["GetAWSDefaultServiceQuota"] = "servicequotas:GetAWSDefaultServiceQuota"
    if not is_named:
        desk.denial = "Access Denied"
    check = results(desk)["hosting quota"]
    assert check.fact == (
        "ml.t2.medium for endpoint usage: 0, needed: 1; AWS's default is unknown: "
        "servicequotas:GetAWSDefaultServiceQuota is not allowed"
    )
    assert check.fixes[0].endswith("--desired-value 1")


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize("operation", ["GetServiceQuota", "ListServiceQuotas"])
def test_without_the_right_to_read_quotas_only_the_price_list_shows_what_is_offered(desk, operation, is_named):
    desk.refuse[operation] = f"servicequotas:{operation}"
    if not is_named:
        desk.denial = "Access Denied"
    checks = results(desk, replace(TRAINING, instance_type="ml.c5.large"), HOSTING)
    assert {name: check.status for name, check in checks.items()} == {
        "training type": "unchecked",
        "hosting type": "ok",
        "quotas": "unchecked",
    }
    assert checks["quotas"].fact == f"servicequotas:{operation} is not allowed"


def test_without_machines_nothing_is_asked(desk):
    assert list(machine_checks(desk.aws(), ())) == []
    assert desk.operations == []
