"""Create, describe, list, stop and delete: one small machine for every kind of resource, and their tags.

A `Kind` has what differs: AWS's words, the checks of a create request, and what a description adds. A resource's
row has the request under ``request``. Answers are cut down to the members of the operation's output, so a summary may
have members that only some kinds answer with.

Sources of the words: public logs of the operations, AWS's controller for Kubernetes (sagemaker-controller,
generator.yaml), and the issues of sagemaker-python-sdk and amazon-sagemaker-examples.
"""

from __future__ import annotations

import base64
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.resources import Resource
from asteroid_ll.emulator.sagemaker.call import SageMakerCall, Services, invalid
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.worker.jobs import ACTIVE

Members = dict[str, Any]
Operation = Callable[[SageMakerCall], Members]

DEFAULT_PAGE_SIZE = 10
"""SageMaker's default of ``MaxResults``."""

MAX_TAGS = 50
"""The most tags of a resource, and the default size of a page of tags."""

JOB_TAKEN = (
    "ResourceInUse",
    "Job name must be unique within an AWS account and region, and a job with this name already exists ({arn})",
)
JOB_NOT_FOUND = ("ValidationException", "Could not find requested job with name: {name}")

_CONDITIONS = {
    "NameContains": "instr(lower(name), lower(?))",
    "StatusEquals": "status = ?",
    "CreationTimeAfter": "created_s > ?",
    "CreationTimeBefore": "created_s < ?",
    "LastModifiedTimeAfter": "modified_s > ?",
    "LastModifiedTimeBefore": "modified_s < ?",
}
"""The filters of a listing, in SQL."""


@dataclass(frozen=True)
class Kind:
    """A kind of jobs or other resources.

    Attributes:
        type: the resource type in its ARN, such as ``training-job``.
        prefix: its name in operations and members, such as ``TrainingJob``.
        title: its name in messages, such as ``training job``.
        check: refuses a bad create request, adds defaults to it, and returns what else the row has.
        description: the members that only the description has.
        list_member: the member of a listing that has the summaries.
        not_found: AWS's code and words for a name that does not exist, with ``{title}``, ``{name}`` and ``{arn}``.
        taken: the same for a name that exists already.
        sort_by: the default order of a listing.
        sort_order: its default direction.
        first_status: the status after the creation; empty for a resource without one.
        summary: the entries of a listing, if they have more than `summary`.
        settle: brings the rows up to date before they are read.
        created: a further step in the transaction of the creation.
    """

    type: str
    prefix: str
    title: str
    check: Callable[[SageMakerCall, Members], Members]
    description: Callable[[SageMakerCall, Resource], Members]
    list_member: str
    not_found: tuple[str, str] = ("ValidationException", 'Could not find {title} "{arn}".')
    taken: tuple[str, str] = ("ValidationException", 'Cannot create already existing {title} "{arn}".')
    sort_by: str = "CreationTime"
    sort_order: str = "Descending"
    first_status: str = ""
    summary: Callable[[SageMakerCall, Resource], Members] | None = None
    settle: Callable[[Services], None] = lambda _: None
    created: Callable[[Services, sqlite3.Connection, Resource], None] = lambda *_: None

    def refusal(self, words: tuple[str, str], call: SageMakerCall, name: str) -> ApiError:
        """Return the refusal of a name, in AWS's words."""
        code, text = words
        return ApiError(code, text.format(title=self.title, name=name, arn=call.arn(self.type, name)))


def existing(call: SageMakerCall, kind: Kind, name: str) -> Resource:
    """Return the resource of that name as it is now.

    Raises:
        ApiError: it does not exist, or is not visible yet.
    """
    kind.settle(call.services)
    resource = call.resources.get(kind.type, call.region, name)
    if resource is None or not call.resources.is_visible(resource):
        raise kind.refusal(kind.not_found, call, name)
    return resource


def create(kind: Kind, call: SageMakerCall) -> Members:
    """Check the request as AWS does and record the resource; start a job's process."""
    member = f"{kind.prefix}Name"
    name, tags = call.params[member], call.new_tags()
    request = {key: value for key, value in call.params.items() if key not in (member, "Tags")}
    if call.resources.get(kind.type, call.region, name) is not None:
        raise kind.refusal(kind.taken, call, name)
    facts = kind.check(call, request)
    jobs = call.services.jobs_of(kind.type)
    if jobs is None:
        resource = _record(kind, call, name, tags=tags, body={"request": request, **facts})
    else:
        resource = jobs.new(call.region, name, request=request, tags=tags, **facts)
    if resource is None:  # another process was faster
        raise kind.refusal(kind.taken, call, name)
    if jobs is not None:
        jobs.spawn(resource)
    return {f"{kind.prefix}Arn": resource.arn}


def _record(kind: Kind, call: SageMakerCall, name: str, *, tags: dict[str, str], body: Members) -> Resource | None:
    """Record a resource that is no job; return None if the name is taken."""
    now_s, polls, account_id = call.state.now(), call.settings.invisible_polls, call.state.account_id
    resource = Resource(kind.type, call.region, name, kind.first_status, now_s, now_s, body, polls, account_id)
    with call.state.transaction() as db:
        if call.resources.get(kind.type, call.region, name) is not None:
            return None
        call.resources.save(db, resource)
        call.resources.put_tags(db, resource.arn, tags)
        kind.created(call.services, db, resource)
    return resource


def describe(kind: Kind, call: SageMakerCall) -> Members:
    """Return the request, the summary, and what only the kind's description has."""
    resource = existing(call, kind, call.params[f"{kind.prefix}Name"])
    return {**resource.body["request"], **summary(kind, resource), **kind.description(call, resource)}


def summary(kind: Kind, resource: Resource) -> Members:
    """Return what listings and descriptions have of a resource."""
    body, prefix, step = resource.body, kind.prefix, kind.prefix.removesuffix("Job")
    return {
        f"{prefix}Name": resource.name,
        f"{prefix}Arn": resource.arn,
        f"{prefix}Status": resource.status,
        "SecondaryStatus": body.get("secondary"),
        "CreationTime": resource.created_s,
        "LastModifiedTime": resource.modified_s,
        f"{step}StartTime": body.get("started_s"),
        f"{step}EndTime": body.get("ended_s"),
        "FailureReason": body.get("reason"),
        "ExitMessage": body.get("exit_message"),
    }


def list_page(kind: Kind, call: SageMakerCall) -> Members:
    """Return one page of a listing, with a ``NextToken`` if there are more.

    A token is the place of the page's last resource in the order, so it stays valid whatever is created or deleted
    meanwhile.
    """
    call.refuse_unsupported(call.params, "TrainingPlanArnEquals", "WarmPoolStatusEquals")
    kind.settle(call.services)
    params, member = call.params, kind.list_member
    by, size = params.get("SortBy", kind.sort_by), params.get("MaxResults", DEFAULT_PAGE_SIZE)
    rows = call.resources.page(
        kind.type,
        call.region,
        conditions={sql: params[name] for name, sql in _CONDITIONS.items() if name in params},
        by=by,
        descending=params.get("SortOrder", kind.sort_order) == "Descending",
        after=place_in(params["NextToken"], listing=member) if "NextToken" in params else None,
        limit=size + 1,
    )
    entry = partial(summary, kind) if kind.summary is None else partial(kind.summary, call)
    answer: Members = {member: [entry(resource) for resource in rows[:size]]}
    if len(rows) > size:
        last = rows[size - 1]
        values = {"CreationTime": last.created_s, "Status": last.status, "Name": ""}
        answer["NextToken"] = token_of((values[by], last.name), listing=member)
    return answer


def token_of(place: tuple[float | str, str], *, listing: str) -> str:
    """Return the ``NextToken`` for a place in the order of a listing: the value that is sorted by, and the name."""
    return base64.urlsafe_b64encode(json.dumps([listing, *place]).encode()).decode()


def place_in(token: str, *, listing: str) -> tuple[float | str, str]:
    """Return the place that a ``NextToken`` has.

    Raises:
        ApiError: ``ValidationException``: it is not a token of that listing.
    """
    try:
        kind, value, name = json.loads(base64.urlsafe_b64decode(token))
        place = value if isinstance(value, str) else float(value), str(name)
        json.dumps(place, ensure_ascii=False).encode()  # not half a surrogate pair
    except (TypeError, ValueError, OverflowError):
        raise _bad_token() from None
    if kind != listing:
        raise _bad_token()
    return place


def _bad_token() -> ApiError:
    return invalid("Invalid pagination token.")


def stop(kind: Kind, call: SageMakerCall) -> Members:
    """Stop a job: asynchronous; it is billed until its processes have ended."""
    job = existing(call, kind, call.params[f"{kind.prefix}Name"])
    if job.status != "InProgress":
        raise invalid(f"The request was rejected because the {kind.title} is in status {job.status}.")
    jobs = call.services.jobs_of(kind.type)
    assert jobs is not None, kind.type
    jobs.request_stop(job)
    return {}


def delete(kind: Kind, call: SageMakerCall) -> Members:
    """Delete a resource, but not a job that still runs. What was made from it stays; its name becomes free."""
    resource = existing(call, kind, call.params[f"{kind.prefix}Name"])
    if resource.status in ACTIVE:
        words = f"The request was rejected because the {kind.title} is in status {resource.status}."
        raise ApiError("ResourceInUse", words)
    with call.state.transaction() as db:
        call.resources.delete(db, resource)
    return {}


def add_tags(call: SageMakerCall) -> Members:
    """AddTags: an existing key gets the new value."""
    arn, new_tags = _tagged_arn(call), call.new_tags()
    tags = {**call.resources.tags(arn), **new_tags}
    if len(tags) > MAX_TAGS:
        words = f"A resource can have at most {MAX_TAGS} tags; {arn} would have {len(tags)}."
        raise ApiError("ResourceLimitExceeded", words)
    with call.state.transaction() as db:
        call.resources.put_tags(db, arn, new_tags)
        ledger.retag_intervals(db, arn, tags=tags)
    return {"Tags": _as_list(tags)}


def list_tags(call: SageMakerCall) -> Members:
    """ListTags."""
    tags = _as_list(call.resources.tags(_tagged_arn(call)))
    token = call.params.get("NextToken", "0")
    if not token.isdecimal() or int(token[:4]) > MAX_TAGS:
        raise _bad_token()
    start = int(token)
    stop = start + call.params.get("MaxResults", MAX_TAGS)
    return {"Tags": tags[start:stop], "NextToken": str(stop) if stop < len(tags) else None}


def delete_tags(call: SageMakerCall) -> Members:
    """DeleteTags: missing keys are ignored."""
    arn = _tagged_arn(call)
    call.refuse_reserved_tags(call.params["TagKeys"])
    with call.state.transaction() as db:
        call.resources.remove_tags(db, arn, call.params["TagKeys"])
        ledger.retag_intervals(db, arn, tags=call.resources.tags(arn))
    return {}


def _tagged_arn(call: SageMakerCall) -> str:
    arn = str(call.params["ResourceArn"])
    resource = call.resources.by_arn(arn)
    if resource is None or resource.region != call.region:
        raise invalid(f'Could not find resource "{arn}".')
    return arn


def _as_list(tags: dict[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in tags.items()]
