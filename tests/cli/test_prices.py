"""The price comes before the first request that creates anything, on every way to an account. The bill comes after."""

from __future__ import annotations

import os
import re
import threading
from contextlib import closing
from pathlib import Path

import pytest

from asteroid_ll.emulator.account import Account

READS = re.compile(r"(Get|Head|List|Describe)[A-Z]")


PRICE = "Price: at most 0.17 USD (training up to 0.06, hosting 0.056 an hour), cap 1.00 USD."


IN_JOBS = ("--set", "stages.where=processing")


def is_mutating(operation: str) -> bool:
    return not READS.match(operation)


class Watched(list):
    """The operations of a command, with its stderr before the first operation that changes anything."""

    def __init__(self) -> None:
        self.err: Path | None = None
        self.is_started = threading.Event()
        self.printed_before: str | None = None

    def append(self, operation: str) -> None:
        if self.printed_before is None and is_mutating(operation):
            assert self.is_started.wait(timeout=30)
            assert self.err is not None
            self.printed_before = self.err.read_text("utf-8")
        super().append(operation)


@pytest.fixture
def on_account(account_once, new_place, fault_proxy):
    """A place whose account is behind a proxy that records every operation."""
    place = new_place(like=account_once)
    with fault_proxy.in_front_of_emulator(place.state) as proxy:
        yield place, proxy


def is_untouched(state: Path) -> bool:
    """Return whether the account has neither a bucket nor a bill."""
    with closing(Account(state)) as account:
        return not account.ledger() and not list(account.store.buckets())


def watched(place, proxy, *command):
    """Run a command to its end; return it with its operations."""
    proxy.operations = operations = Watched()
    started = place.fork(*command, "--json", AWS_ENDPOINT_URL=proxy.url, poll_s=0.05)
    operations.err = started.err
    operations.is_started.set()
    ended = place.wait(started)
    assert ended.code == 0, ended.err
    return ended, operations


def test_every_command_that_reaches_the_account_shows_the_price_before_its_first_change(on_account):
    place, proxy = on_account
    ended = {}
    for command in (("upload",), ("train",), ("run-all",), ("deploy",), ("predict", "--force"), ("teardown",)):
        ended[command[0]], operations = watched(place, proxy, *command)
        assert operations.count("GetProducts") == (2 if command == ("upload",) else 0)  # then the copy has them
        assert ("GetRole" in operations) == (command == ("run-all",))  # alone checks the account
        if command != ("teardown",):
            assert operations.printed_before is not None, operations
            assert PRICE in operations.printed_before.splitlines()
            assert ended[command[0]].err.count("Price:") == 1
            assert ended[command[0]].json["price"]["worst_case_usd"] == pytest.approx(0.1695)
            assert ended[command[0]].json["price"]["training"]["source"] == "price-list"
    bill = ended["run-all"].json["bill"]
    with closing(Account(place.state)) as account:
        job, endpoint, _ = (item.instance_seconds(account.state.now()) for item in account.ledger())
    assert job <= bill["training"]["billable_s"] < job + 1
    assert bill["training"]["usd"] == pytest.approx(bill["training"]["billable_s"] * 0.115 / 3600, abs=1e-6)
    assert endpoint <= bill["endpoint"]["billable_s"] < endpoint + 5
    assert bill["endpoint"]["usd"] == pytest.approx(bill["endpoint"]["billable_s"] * 0.056 / 3600, abs=1e-6)
    assert not bill["endpoint"]["is_open"]
    assert bill["usd"] == pytest.approx(bill["training"]["usd"] + bill["endpoint"]["usd"], abs=2e-6)
    assert bill["worst_case_usd"] == pytest.approx(0.1695)


def test_batch_transform_shows_its_price_before_its_first_change(account_training, new_place, fault_proxy):
    place = new_place(like=account_training[0])
    lines = (place.folder / "asteroids.csv").read_text("utf-8").splitlines(keepends=True)
    (place.folder / "new.csv").write_text("".join(lines[:4]), "utf-8")
    price = "Price: at most 0.12 USD (training up to 0.06, batch transform up to 0.06), cap 1.00 USD."
    with fault_proxy.in_front_of_emulator(place.state) as proxy:
        for command in (("predict", "--batch"), ("predict", "--batch", "-i", "new.csv")):
            ended, operations = watched(place, proxy, *command)
            assert "CreateTransformJob" in operations
            assert price in operations.printed_before.splitlines()
            assert ended.err.count("Price:") == 1
        capped = place.run(*command, "--json", "--set", "cost.max_usd=0.1", AWS_ENDPOINT_URL=proxy.url)
    assert capped.code == 2
    assert "The run may cost at most 0.12 USD" in capped.json["error"]["what"]
    assert place.open_intervals() == []


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="starts jobs; ASTEROID_LL_EXHAUSTIVE=1 runs it"
)
def test_stages_as_processing_jobs_show_their_price_before_their_first_change(on_account):
    place, proxy = on_account
    price = (
        "Price: at most 0.63 USD (clean up to 0.23, encode up to 0.23, training up to 0.06, hosting 0.056 an hour), "
    )
    for stage in ("clean", "encode"):
        ended, operations = watched(place, proxy, stage, "--force", *IN_JOBS)
        assert "CreateProcessingJob" in operations
        assert any(line.startswith(price) for line in operations.printed_before.splitlines())
        assert ended.err.count("Price:") == 1
        assert ended.json["bill"][stage]["instances"] == "1 x ml.m5.xlarge"
        capped = place.run(
            stage, "--force", "--json", *IN_JOBS, "--set", "cost.max_usd=0.1", AWS_ENDPOINT_URL=proxy.url
        )
        assert capped.code == 2
        assert "The run may cost at most 0.63 USD" in capped.json["error"]["what"]
    assert place.open_intervals() == []


@pytest.mark.parametrize(
    ("command", "setting", "says"),
    [
        (("run-all",), "cost.max_usd=0.1", "The run may cost at most 0.17 USD"),
        (("upload",), "cost.max_usd=0.1", "The run may cost at most 0.17 USD"),
        (("run-all",), "training.instance_type=ml.p5e.48xlarge", "ml.p5e.48xlarge has no price"),
        (("plan",), "cost.max_usd=0.1", "The run may cost at most 0.17 USD"),
    ],
    ids=["run-all", "upload", "unknown-type", "plan"],
)
def test_a_run_above_the_cap_exits_2_and_creates_nothing(on_account, command, setting, says):
    place, proxy = on_account
    ended = place.run(*command, "--json", "--set", setting, AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == 2
    assert says in ended.json["error"]["what"]
    assert ended.json["price"]["cap_usd"] == float(setting.partition("max_usd=")[2] or 1)
    assert not any(map(is_mutating, proxy.operations))
    assert is_untouched(place.state)


def test_a_price_of_the_configuration_opens_a_type_without_one(on_account):
    place, proxy = on_account
    stated = ("--set", "training.instance_type=ml.p5e.48xlarge", "--set", "cost.price_usd_per_h={ml.p5e.48xlarge: 1.5}")
    ended = place.run("plan", "--json", *stated, AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == 0
    training = ended.json["price"]["training"]
    assert (training["usd_per_h"], training["usd"], training["source"]) == (1.5, 0.75, "configuration")


def test_a_plan_that_does_nothing_on_an_account_has_no_price(finished):
    ended = finished.run("plan", "--json")
    assert ended.json["price"] is None
    assert "rice" not in finished.run("plan").out


def test_an_unreachable_price_list_gives_one_note_and_the_bundled_prices(on_account, fault_proxy):
    place, proxy = on_account
    proxy.rule = fault_proxy.Rule("GetProducts", "before", "html")
    ended = place.run("plan", AWS_ENDPOINT_URL=proxy.url)
    assert ended.code == 0
    assert proxy.operations.count("GetProducts") == 1
    assert ended.out.count("Price List") == 1
    assert "Price of ml.m5.large and ml.t2.medium: the bundled table of us-east-1" in " ".join(ended.out.split())
    assert not (place.workdir / "prices.json").exists()
