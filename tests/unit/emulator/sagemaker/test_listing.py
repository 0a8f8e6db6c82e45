"""Lists of training jobs, compared with their definition: filter, sort, cut into pages."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asteroid_ll.emulator.resources import TRAINING_JOB, Resource, Resources

REGION = "us-west-2"
START_S = 1_700_000_000.0
STATUSES = ("Completed", "Failed", "Stopped")
ORDERS = {
    "CreationTime": lambda job: (job.created_s, job.name),
    "Status": lambda job: (job.status, job.name),
    "Name": lambda job: job.name,
}


def store(emulator: Any, jobs: list[Resource]) -> None:
    resources = Resources(emulator.state)
    with emulator.state.transaction() as db:
        db.execute("DELETE FROM resources")
        for job in jobs:
            resources.save(db, job)


def job(number: int, *, created_s: float = START_S, status: str = "Completed", **body: Any) -> Resource:
    facts = {"secondary": status, "transitions": [], "request": {}, **body}
    return Resource(TRAINING_JOB, REGION, f"Job-{number:03}", status, created_s, created_s + number % 3, facts)


def names(answer: dict[str, Any]) -> list[str]:
    return [summary["TrainingJobName"] for summary in answer["TrainingJobSummaries"]]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=15, deadline=None)
@given(
    jobs=st.lists(st.tuples(st.integers(0, 3), st.sampled_from(STATUSES)), max_size=8),
    by=st.sampled_from(sorted(ORDERS)),
    order=st.sampled_from(["Ascending", "Descending"]),
    size=st.integers(1, 5),
    part=st.sampled_from([None, "job", "JOB-00", "1"]),
    status=st.sampled_from([None, *STATUSES]),
    since=st.sampled_from([None, 1]),
    modified_before=st.sampled_from([None, 3]),
)
def test_the_pages_together_are_the_list_by_its_definition(
    emulator: Any,
    sagemaker: Any,
    jobs: list[tuple[int, str]],
    by: str,
    order: str,
    size: int,
    part: str | None,
    status: str | None,
    since: int | None,
    modified_before: int | None,
) -> None:
    stored = [job(number, created_s=START_S + at_s, status=word) for number, (at_s, word) in enumerate(jobs)]
    store(emulator, stored)
    elsewhere = Resource(TRAINING_JOB, "eu-west-1", "Job-000", "Completed", START_S, START_S, {})
    with emulator.state.transaction() as db:
        Resources(emulator.state).save(db, elsewhere)
    expected = [
        found.name
        for found in sorted(stored, key=ORDERS[by], reverse=order == "Descending")
        if (part or "").lower() in found.name.lower()
        and status in (None, found.status)
        and (since is None or found.created_s > START_S + since)
        and (modified_before is None or found.modified_s < START_S + modified_before)
    ]
    filters: dict[str, Any] = {"SortBy": by, "SortOrder": order, "MaxResults": size}
    filters |= {"NameContains": part} if part else {}
    filters |= {"StatusEquals": status} if status else {}
    filters |= {} if since is None else {"CreationTimeAfter": START_S + since}
    filters |= {} if modified_before is None else {"LastModifiedTimeBefore": START_S + modified_before}
    pages = [sagemaker.list_training_jobs(**filters)]
    while "NextToken" in pages[-1]:
        pages.append(sagemaker.list_training_jobs(**filters, NextToken=pages[-1]["NextToken"]))
    assert [name for page in pages for name in names(page)] == expected
    assert [len(names(page)) for page in pages[:-1]] == [size] * (len(pages) - 1)


@pytest.mark.parametrize("by", sorted(ORDERS))
def test_a_token_outlives_the_job_that_it_names(emulator: Any, sagemaker: Any, by: str) -> None:
    """The page's last job is deleted, one is created before it and one after it."""
    store(emulator, [job(number, created_s=START_S + number) for number in (2, 4, 6, 8)])
    first = sagemaker.list_training_jobs(SortBy=by, SortOrder="Ascending", MaxResults=2)
    assert names(first) == ["Job-002", "Job-004"]
    store(emulator, [job(number, created_s=START_S + number) for number in (1, 2, 5, 6, 8)])
    rest = sagemaker.list_training_jobs(SortBy=by, SortOrder="Ascending", NextToken=first["NextToken"])
    assert names(rest) == ["Job-005", "Job-006", "Job-008"]


BAD_PLACES = ["", "null", "12", "[]", "[KIND, 1]", '[KIND, [1], "x"]', '[KIND, {}, "x"]', '[KIND, null, "x"]']
BAD_PLACES += [r'[KIND, "\ud800", "x"]', r'[KIND, 1, "\ud800"]', f'[KIND, 1{"0" * 400}, "x"]', '["Models", 1, "x"]']


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("text", BAD_PLACES)
def test_a_token_of_another_listing_is_refused(sagemaker: Any, refused: Any, text: str) -> None:
    token = base64.urlsafe_b64encode(text.replace("KIND", '"TrainingJobSummaries"').encode()).decode()
    for order in ORDERS:
        refusal = refused(sagemaker.list_training_jobs, SortBy=order, NextToken=token)
        assert refusal == ("ValidationException", "Invalid pagination token.")


@pytest.mark.parametrize(
    "filters",
    [{}, {"SortBy": "Name"}, {"StatusEquals": "Failed"}, {"StatusEquals": "InProgress"}],
    ids=["all", "by-name", "failed", "running"],
)
def test_a_page_costs_the_database_as_much_with_many_jobs_as_with_few(
    emulator: Any, sagemaker: Any, filters: dict[str, str]
) -> None:
    """SQLite counts the steps of its programs; the clock would not be exact."""

    def steps(n_jobs: int) -> int:
        store(emulator, [job(number, status=STATUSES[number % 3]) for number in range(n_jobs)])
        n_steps = 0

        def count() -> None:
            nonlocal n_steps
            n_steps += 1

        emulator.state.connection.set_progress_handler(count, 10)
        try:
            sagemaker.list_training_jobs(MaxResults=5, **filters)
        finally:
            emulator.state.connection.set_progress_handler(None, 0)
        return n_steps

    assert steps(2_000) <= steps(50) * 1.2 + 5
