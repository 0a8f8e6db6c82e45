"""The ledger counts instance seconds, and costs if it gets a price."""

import pytest

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.state import State


@pytest.fixture
def state(tmp_path, clock):
    made = State(tmp_path, clock=lambda: clock.s)
    ledger.ensure(made)
    yield made
    made.close()


@pytest.fixture
def opened(state):
    with state.transaction() as db:
        interval = ledger.BilledInterval("arn", ledger.ENDPOINT, "ml.m5.large", 2, state.now(), None, {"a": "1"})
        ledger.open_interval(db, interval)


def test_an_interval_grows_while_it_is_open(state, clock, opened):
    clock.s += 1800
    (interval,) = ledger.open_intervals(state)
    assert interval.instance_seconds(clock.s) == 3600
    assert interval.cost_usd(clock.s, price_usd_per_h=0.115) == pytest.approx(0.115)


def test_a_closed_interval_costs_no_more(state, clock, opened):
    with state.transaction() as db:
        ledger.close_intervals(db, "arn", ended_s=clock.s + 10)
    assert len(ledger.open_intervals(state)) == 1
    clock.s += 1000
    assert ledger.open_intervals(state) == []
    assert ledger.all_intervals(state)[0].instance_seconds(clock.s) == 20


def test_instances_that_came_late_are_billed_from_then(state, clock, opened):
    with state.transaction() as db:
        ledger.start_interval(db, "arn", started_s=clock.s + 100)
        ledger.close_intervals(db, "arn", ended_s=clock.s + 110)
    assert ledger.all_intervals(state)[0].instance_seconds(clock.s + 999) == 20


def test_instances_that_never_came_are_not_billed(state, clock, opened):
    with state.transaction() as db:
        ledger.close_intervals(db, "arn", ended_s=0.0)
    assert ledger.all_intervals(state)[0].instance_seconds(clock.s) == 0
    assert ledger.open_intervals(state) == []


def test_a_change_of_tags_reaches_the_open_interval(state, opened):
    with state.transaction() as db:
        ledger.retag_intervals(db, "arn", tags={"b": "2"})
    assert ledger.open_intervals(state)[0].tags == {"b": "2"}
