from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.aws.waiting import AWS_PACE, EMULATOR_PACE, Pace, poll
from asteroid_ll.errors import AwsError


def test_the_answer_that_satisfies_the_condition_is_returned_without_a_further_pause(virtual_pace, time_passes):
    answers = iter(["Creating", "Creating", "InService", "never asked"])
    answer = poll(
        lambda: next(answers), until=lambda state: state == "InService", pace=virtual_pace, timeout_s=99, what="x"
    )
    assert answer == "InService"
    assert time_passes.slept_s == [1.0, 2.0]


def test_the_interval_doubles_from_the_first_up_to_the_random_interval(virtual_pace):
    assert list(itertools.islice(virtual_pace.intervals_s(), 8)) == [1, 2, 4, 8, 16, 20, 20, 20]


def test_a_wait_is_given_up_when_its_time_has_passed(virtual_pace, time_passes):
    with pytest.raises(AwsError, match="Gave up waiting for endpoint x after 50 s") as caught:
        poll(lambda: "Creating", until=lambda _: False, pace=virtual_pace, timeout_s=50, what="endpoint x")
    assert "teardown" in caught.value.hint
    assert 50 <= time_passes.now_s < 50 + virtual_pace.longest_s


def test_an_exception_of_the_call_ends_the_wait(virtual_pace, time_passes):
    def refused() -> str:
        raise AwsError("no")

    with pytest.raises(AwsError, match="no"):
        poll(refused, until=lambda _: True, pace=virtual_pace, timeout_s=50, what="x")
    assert time_passes.slept_s == []


@pytest.mark.parametrize("pace", [AWS_PACE, EMULATOR_PACE], ids=["aws", "emulator"])
def test_intervals_settle_between_the_two_bounds_of_the_pace(pace: Pace):
    settled = list(itertools.islice(pace.intervals_s(), 20))[10:]
    assert all(pace.shortest_s <= interval_s <= pace.longest_s for interval_s in settled)


def test_an_account_is_polled_every_10_to_30_seconds():
    assert (AWS_PACE.shortest_s, AWS_PACE.longest_s) == (10, 30)


@given(st.floats(0.01, 5), st.floats(1, 50), st.floats(0, 50), st.floats(1, 5_000))
def test_a_wait_never_lasts_longer_than_its_time_and_one_interval(first_s, shortest_s, spread_s, timeout_s):
    now_s = 0.0

    def sleep(seconds: float) -> None:
        nonlocal now_s
        now_s += seconds

    pace = Pace(
        first_s=first_s, shortest_s=shortest_s, longest_s=shortest_s + spread_s, sleep=sleep, clock=lambda: now_s
    )
    with pytest.raises(AwsError):
        poll(lambda: None, until=lambda _: False, pace=pace, timeout_s=timeout_s, what="x")
    assert timeout_s <= now_s <= timeout_s + max(pace.longest_s, first_s) + 1e-6
