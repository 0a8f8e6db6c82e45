"""What a job that bills leaves in the journal: at success, failure, interruption, and on a full disk."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll.errors import AwsError, DataError, InterruptedRunError
from asteroid_ll.run.billed_job import BilledJob
from asteroid_ll.run.journal import Journal

NAME = "asteroid-ll-0123456789abcdef-00000000"


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    return Journal(tmp_path / "journal.jsonl")


@pytest.fixture
def job(journal: Journal) -> BilledJob:
    return BilledJob(journal, "clean", "processing-job", NAME, "f" * 64)


def nothing() -> None:
    """Start or adopt the job at once."""


def failing(error: BaseException) -> Callable[[], Any]:
    def fail() -> None:
        raise error

    return fail


def records(journal: Journal) -> list[dict[str, Any]]:
    """Return what is on disk, without times."""
    lines = journal.path.read_text("utf-8").splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in ("v", "at")} for line in lines]


INTENT = {
    "event": "intent",
    "stage": "clean",
    "fingerprint": "f" * 64,
    "resource": NAME,
    "bills": "processing-job",
}


def gone(billed_s: float) -> dict[str, Any]:
    return {"event": "gone", "stage": "clean", "fingerprint": "f" * 64, "resource": NAME, "billed_s": billed_s}


def test_its_name_is_on_disk_before_it_starts_and_its_seconds_after_its_end(job: BilledJob, journal: Journal) -> None:
    seen = []
    seconds = job.run(
        start=lambda: seen.append(records(journal)),
        wait=lambda: 12.5,
        billed_s_of_ended=failing(AssertionError("the job has not failed")),
        again="The same command waits for it",
    )
    assert seen == [[INTENT]]
    assert seconds == 12.5
    assert records(journal) == [INTENT, gone(12.5)]
    assert journal.read().open_resources() == ()


@pytest.mark.parametrize(
    ("start", "wait", "state"),
    [
        (failing(KeyboardInterrupt()), failing(AssertionError()), "may have been started"),
        (nothing, failing(KeyboardInterrupt()), "is still running"),
    ],
    ids=["at the start", "in the wait"],
)
def test_an_interrupted_job_stays_open_and_the_message_names_what_waits_for_it_and_what_stops_it(
    job: BilledJob, journal: Journal, start: Callable[[], None], wait: Callable[[], float], state: str
) -> None:
    with pytest.raises(InterruptedRunError) as caught:
        job.run(start=start, wait=wait, billed_s_of_ended=lambda: 1.0, again="asteroid-ll clean   waits for it")
    assert caught.value.what == f"Interrupted. Processing job {NAME} {state}, and bills until it ends."
    assert caught.value.hint == "asteroid-ll clean   waits for it again;   asteroid-ll teardown   stops it."
    assert records(journal) == [INTENT]


@pytest.mark.parametrize("is_at_start", [True, False])
@pytest.mark.parametrize(
    ("billed_s_of_ended", "after"),
    [(lambda: 3.0, [gone(3.0)]), (lambda: 0.0, [gone(0.0)]), (lambda: None, []), (failing(ValueError("?")), [])],
    ids=["ended", "never started", "still there", "unknown"],
)
def test_a_failed_job_is_closed_only_if_its_end_is_certain(
    job: BilledJob,
    journal: Journal,
    *,
    is_at_start: bool,
    billed_s_of_ended: Callable[[], float | None],
    after: list[dict[str, Any]],
) -> None:
    error = AwsError("The job failed.")
    start, wait = (failing(error), failing(AssertionError())) if is_at_start else (nothing, failing(error))
    with pytest.raises(AwsError) as caught:
        job.run(start=start, wait=wait, billed_s_of_ended=billed_s_of_ended, again="")
    assert caught.value is error
    assert records(journal) == [INTENT, *after]


def test_a_job_without_a_record_is_not_started(job: BilledJob, journal: Journal) -> None:
    journal.path.mkdir()
    with pytest.raises(DataError, match="could not be written"):
        job.run(start=failing(AssertionError()), wait=failing(AssertionError()), billed_s_of_ended=nothing, again="")


def test_the_error_of_a_failed_job_goes_before_that_of_a_journal_that_cannot_be_written(
    job: BilledJob, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    error = AwsError("The job failed.")

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    def fail() -> float:
        monkeypatch.setattr("os.fsync", full)
        raise error

    journal.read()
    with pytest.raises(AwsError) as caught:
        job.run(start=nothing, wait=fail, billed_s_of_ended=lambda: 3.0, again="")
    assert caught.value is error
    last_known = journal.last_known()
    assert last_known is not None
    assert last_known.open_resources() == ()  # the journal object remembers the end
