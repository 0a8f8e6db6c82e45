"""``doctor`` finds what a fresh account lacks, before the first byte and the first cent; ``run-all`` on AWS asks it."""

from __future__ import annotations

import re
import shlex
from contextlib import closing
from pathlib import Path

import pytest

from asteroid_ll import Emulator
from asteroid_ll.emulator.account import Account

READS = re.compile(r"(Get|Head|List|Describe|Simulate)[A-Z]")
ROLE = "role_arn=arn:aws:iam::000000000000:role/asteroid-ll"
ALL_OK = [
    *("hyperparameters", "data", "image", "credentials", "run directory", "price", "role", "trust", "role policy"),
    *("bucket", "training type", "training quota", "hosting type", "hosting quota", "leftovers"),
]
"""The checks of an account without a bucket, apart from the right to pass the role."""


@pytest.fixture
def account(place, fault_proxy, tmp_path):
    """A place on an empty account, behind a proxy that records every operation."""
    place.edit("source:", "target: aws\nsource:")
    with fault_proxy.in_front_of_emulator(tmp_path / "account") as proxy:
        yield place, proxy, tmp_path / "account"


@pytest.fixture
def ready(account, workbench):
    """The same with a role."""
    place, proxy, state = account
    place.edit("source:", f"{ROLE.replace('=', ': ')}\nsource:")
    workbench.create_role(state)
    return place, proxy, state


def statuses(ended):
    return {check["name"]: check["status"] for check in ended.json["checks"]}


def documented():
    """Return the example of the documentation."""
    page = (Path(__file__).resolve().parents[2] / "docs" / "aws.md").read_text("utf-8")
    return re.search("test_doctor.py -->\n```text\n(.*?)```", page, re.S)[1]


def is_untouched(place, proxy, state):
    """Whether nothing was created, neither on the account nor on the disk, and no request would have done it."""
    assert [name for name in proxy.operations if not READS.match(name)] == []
    with closing(Account(state)) as emulator:
        assert not emulator.ledger()
        assert not list(emulator.store.buckets())
    return not place.workdir.exists()


def test_a_fresh_account_is_led_to_its_first_run_by_the_printed_commands_alone(account, pasting):
    place, proxy, state = account
    ended = place.run("doctor", AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == 2
    assert "\nFAILED     role              'role_arn' is not set\n" in ended.out
    (fix,) = re.findall("^ +asteroid-ll (iam setup .*)$", ended.out, re.M)
    setup = place.run(*shlex.split(fix), config=None, AWS_ENDPOINT_URL=proxy.url)
    assert setup.err.splitlines()[-1] == f"The configuration needs:   {ROLE.replace('=', ': ')}"

    ended = place.run("doctor", "--set", ROLE, AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == 4
    assert "asteroid-ll does not exist in account 000000000000" in ended.out
    assert ended.err.splitlines()[-2] == "Error: 1 check failed: role."

    with Emulator(state) as emulator:
        emulator.configure(quotas={"ml.m5.large for training job usage": 0})
        for command in setup.out.splitlines():
            pasting.paste(command, lambda service, region: emulator.session(region).client(service))
        iam = emulator.session().client("iam")
        iam.create_user(UserName="me")
        policy_arn = re.search("--policy-arn (arn:.*)$", setup.err, re.M)[1]
        iam.attach_user_policy(UserName="me", PolicyArn=policy_arn)
        key = iam.create_access_key(UserName="me")["AccessKey"]
        emulator.configure(iam=True)
        me = {"AWS_ACCESS_KEY_ID": key["AccessKeyId"], "AWS_SECRET_ACCESS_KEY": key["SecretAccessKey"]}
        ended = place.run("doctor", "--set", ROLE, AWS_ENDPOINT_URL=proxy.url, **me)
        assert ended.code == 4
        assert "FAILED     training quota    ml.m5.large for training job usage: 0, needed: 1\n" in ended.out
        assert documented() in ended.out.replace("000000000000", "123456789012")
        (fix,) = re.findall("^ +(aws .*)$", ended.out, re.M)
        pasting.paste(fix, lambda service, region: emulator.session(region).client(service))

    ended = place.run("doctor", "--set", ROLE, AWS_ENDPOINT_URL=proxy.url, **me)
    assert (ended.code, ended.err) == (0, "")
    assert re.findall(r"^(?!ok )\S.*", ended.out, re.M) == ["16 checks ok."]
    assert is_untouched(place, proxy, state)
    assert max(len(line) for line in ended.out.splitlines()) <= 80


def test_the_json_object_has_every_check_with_its_commands(ready):
    place, proxy, state = ready
    place.edit("source:", "hosting: {instance_count: 2}\nsource:")
    with Emulator(state) as emulator:
        emulator.configure(quotas={"ml.t2.medium for endpoint usage": 1})
    ended = place.run("doctor", "--json", "--set", "cost.max_usd=0.2", AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == ended.json["error"]["exit_code"] == 2
    assert {key: ended.json[key] for key in ("asteroid_ll", "command", "status", "summary", "billing")} == {
        "asteroid_ll": 1,
        "command": "doctor",
        "status": "failed",
        "summary": "13 checks ok, 2 failed, 1 unchecked",
        "billing": {"open": None},
    }
    assert ended.json["error"]["what"] == "2 checks failed: price, hosting quota."
    fixes = {check["name"]: check["fixes"] for check in ended.json["checks"] if check["status"] == "failed"}
    assert fixes["hosting quota"][0].endswith("--quota-code L-29C181D7 --desired-value 3")
    with Emulator(state) as emulator:
        emulator.configure(quotas={})
    again = place.run(*shlex.split(*fixes["price"])[1:], "--json", config=None, AWS_ENDPOINT_URL=proxy.url)
    assert (again.code, again.json["status"], again.json["summary"]) == (0, "success", "15 checks ok, 1 unchecked")
    found = statuses(again)
    assert found.pop("pass role") == "unchecked"  # the emulator's caller is unknown to its IAM
    assert found == dict.fromkeys(ALL_OK, "ok")
    assert is_untouched(place, proxy, state)


def test_without_credentials_what_depends_on_them_says_so_and_the_rest_is_checked(account):
    place, proxy, state = account
    missing = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"), ""),
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    ended = place.run("doctor", "--json", "--set", "source.location=none.csv", AWS_ENDPOINT_URL=proxy.url, **missing)
    checks = {check["name"]: check for check in ended.json["checks"]}
    assert checks["credentials"]["status"] == "failed"
    assert checks["credentials"]["fixes"] == ["aws configure"]
    assert {check["fact"] for name, check in checks.items() if check["status"] == "unchecked"} == {
        "needs the credentials"
    }
    assert ended.json["error"]["what"] == "2 checks failed: data, credentials."
    assert ended.code == 3
    assert checks["data"]["fact"] == "none.csv cannot be read: No such file or directory"
    (fix,) = checks["data"]["fixes"]
    assert statuses(place.run(*shlex.split(fix)[1:], "--json", config=None))["data"] == "ok"
    assert proxy.operations == []
    assert is_untouched(place, proxy, state)


def test_on_the_emulator_it_asks_and_creates_nothing(place, tmp_path):
    ended = place.run("doctor", calls=tmp_path / "calls")
    assert (ended.code, ended.err) == (0, "")
    assert "3 checks ok. With target aws it also checks credentials, run directory," in ended.out
    assert not (tmp_path / "calls").exists() or (tmp_path / "calls").read_text("utf-8") == ""
    assert not place.workdir.exists()


def test_run_all_stops_before_anything_is_created(ready):
    place, proxy, state = ready
    with Emulator(state) as emulator:
        emulator.configure(quotas={"ml.m5.large for training job usage": 0})
    ended = place.run("run-all", "--json", AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == 4
    assert ended.json["stages"] == []
    assert ended.json["error"]["what"] == "1 check failed: training quota."
    assert ended.json["billing"] == {"open": []}
    lines = ended.err.splitlines()
    assert "doctor    FAILED     training quota: ml.m5.large for training job usage: 0, needed: 1." in lines
    assert any(line.startswith(" " * 21 + "aws service-quotas request-service-quota-increase ") for line in lines)
    assert "doctor    7 checks ok, 1 failed, 1 unchecked" in lines
    assert [name for name in proxy.operations if not READS.match(name)] == []
