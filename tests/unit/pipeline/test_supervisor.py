"""The rule of the teardown, case by case."""

from __future__ import annotations

import errno
import re

import pytest

from asteroid_ll.aws.billing import OpenResource
from asteroid_ll.errors import AwsError, CredentialsError, DataError, InterruptedRunError, LeakError, UnrecordedError
from asteroid_ll.pipeline.supervisor import (
    as_expected,
    error_after_teardown,
    open_in,
    quietly,
    reason_to_tear_down,
    spared_after_failure,
    warn_of_expired,
)
from asteroid_ll.run.journal import Journal

ENDPOINT = {"e": "endpoint"}
JOB = {"j": "training-job"}
TRANSFORM = {"t": "transform-job"}
MODEL = {"m": "model"}
JOBS = {"training-job", "transform-job", "processing-job"}


@pytest.mark.parametrize(
    ("open_now", "touched", "has_failed", "reason"),
    [
        ({}, [], False, None),
        ({}, [], True, None),
        (ENDPOINT, ["deploy"], False, "after deploy"),
        (ENDPOINT, [], False, "e may still bill"),
        (ENDPOINT, [], True, "after a failure"),
        (JOB, [], False, "j may still bill"),
        (JOB, [], True, None),
        (ENDPOINT | JOB, [], True, "after a failure"),
        (TRANSFORM, [], False, "t may still bill"),
        (TRANSFORM | MODEL, [], False, "t may still bill"),
        (MODEL, [], False, "m is still there"),
        (TRANSFORM | MODEL, ["deploy"], True, None),
        (MODEL, [], True, "after a failure"),
        ({"p": "processing-job"}, [], True, None),
        ({"p": "processing-job"}, [], False, "p may still bill"),
        (TRANSFORM | MODEL | ENDPOINT, [], True, "after a failure"),
        (None, [], True, "the journal was lost or cannot be read"),
    ],
)
def test_what_is_open_decides_and_a_failed_run_spares_its_job(open_now, touched, has_failed, reason):
    assert reason_to_tear_down(open_now, touched=touched, has_failed=has_failed) == reason


@pytest.mark.parametrize(
    ("open_now", "spared"),
    [
        ({}, JOBS),
        (MODEL, JOBS),
        ({"p": "processing-job"} | MODEL, JOBS),
        (TRANSFORM | MODEL, {*JOBS, "model"}),
        (None, JOBS),
    ],
)
def test_a_transform_job_that_goes_on_keeps_its_model(open_now, spared):
    assert spared_after_failure(open_now) == spared


def test_a_leak_and_expired_credentials_outrank_the_runs_own_failure():
    own = DataError("Bad rows.")
    for failure in (LeakError("Left."), CredentialsError("Expired.")):
        assert error_after_teardown(failure, own, open_now=ENDPOINT) is failure


@pytest.mark.parametrize("failure", [InterruptedRunError("x"), DataError("x"), ZeroDivisionError("x")])
@pytest.mark.parametrize("open_now", [ENDPOINT, None])
def test_whatever_is_not_proven_absent_is_a_leak(failure, open_now):
    error = error_after_teardown(failure, DataError("Bad rows."), open_now=open_now)
    assert isinstance(error, LeakError)
    assert ("endpoint e" if open_now else "this run's tags") in error.what
    assert ("The teardown was interrupted" in error.what) == isinstance(failure, InterruptedRunError)
    assert (f"ZeroDivisionError: {failure}" in error.what) == isinstance(failure, ZeroDivisionError)
    assert "asteroid-ll teardown" in error.hint


def test_a_failure_after_all_is_gone_leaves_the_runs_own_error():
    own, failure = DataError("Bad rows."), DataError("The disk is full.")
    assert error_after_teardown(failure, own, open_now={}) is own
    assert error_after_teardown(failure, None, open_now={}) is failure


def test_a_deletion_that_cannot_be_recorded_is_no_leak():
    own, failure = DataError("Bad rows."), UnrecordedError("e deleted. The disk is full.")
    assert error_after_teardown(failure, own, open_now=ENDPOINT) is own
    assert error_after_teardown(failure, None, open_now=ENDPOINT) is failure


def test_what_is_open_is_known_from_the_last_time_that_the_journal_could_be_read(tmp_path):
    journal = Journal(tmp_path / "journal.jsonl")
    assert open_in(journal) == {}
    journal.append("intent", stage="deploy", resource="e", bills="endpoint")
    assert open_in(journal) == ENDPOINT
    journal.path.write_text("damaged\n")
    assert open_in(journal) == ENDPOINT
    assert open_in(Journal(journal.path)) is None


def test_an_interruption_and_a_full_disk_are_expected_failures_and_a_bug_is_itself():
    assert isinstance(as_expected(KeyboardInterrupt()), InterruptedRunError)
    assert isinstance(as_expected(OSError(errno.ENOSPC, "No space left on device")), DataError)
    bug = ZeroDivisionError()
    assert as_expected(bug) is bug


def test_what_other_runs_have_left_beyond_its_time_is_named_or_unknown():
    notes: list[str] = []
    expired, fresh = (
        OpenResource("endpoint", "rocks", "arn", "us-east-1", "InService", None, 1, 0.0, None, expires_s, "other-1")
        for expires_s in (0.0, None)
    )
    warn_of_expired(lambda: [expired, fresh], notes.append)
    assert len(notes) == 1
    assert re.fullmatch(r"1 endpoint of another run expired [0-9.]+ d ago:   asteroid-ll sweep --expired", notes.pop())

    def refuse():
        raise AwsError("SageMaker refused.")

    warn_of_expired(refuse, notes.append)
    assert notes == ["Whether another run has expired resources is unknown: SageMaker refused."]


def test_a_listener_that_fails_is_not_heard():
    heard: list[str] = []

    def listen(word: str) -> None:
        heard.append(word)
        raise OSError("the terminal is closed")

    quietly(listen)("teardown")
    assert heard == ["teardown"]
