"""Find and delete what outlived its run, on any account and in any region, without a run directory.

Only names that begin with our prefix are listed. SageMaker's resources also need our tag. A resource that vanishes in
between is no error. One whose owner AWS does not show is left alone and reported. Deletion is proven by a new search.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from asteroid_ll.aws import logs, resources, storage
from asteroid_ll.aws.billing import BILLED, Unreadable, inventory
from asteroid_ll.aws.endpoints import delete_endpoint
from asteroid_ll.aws.errors import expected
from asteroid_ll.aws.jobs import stop_job
from asteroid_ll.aws.resources import Kind
from asteroid_ll.aws.tags import NAME_PREFIX
from asteroid_ll.aws.waiting import WaitError, poll
from asteroid_ll.errors import AsteroidError, CredentialsError, LeakError

if TYPE_CHECKING:
    from asteroid_ll.aws.session import Aws

T = TypeVar("T")
R = TypeVar("R")

SweptKind = Literal[Kind, "upload", "object", "log"]

ORDER: tuple[SweptKind, ...] = (
    "endpoint",
    "training-job",
    "transform-job",
    "endpoint-config",
    "model",
    "upload",
    "object",
    "log",
)
"""In the order of deletion: first what is billed by the hour, and each before the one that it uses."""

AGAIN = "Correct the cause, then run the same command again."

_OF_ENDPOINTS = ("endpoint-config", "model")
"""The kinds that an endpoint of the same name uses."""

_N_THREADS = 8
_SEARCH_AGAIN_S = 20
_NOT_ENABLED = {"UnrecognizedClientException", "InvalidClientTokenId", "InvalidToken", "InvalidAccessKeyId"}
"""The refusals of a region that an account has not enabled, for credentials that are good elsewhere."""


@dataclass(frozen=True)
class Item:
    """A resource of this program.

    Attributes:
        kind: one of `ORDER`.
        name: its name; the address of an upload or an object, the group and stream of a log.
        region: its region.
        since_s: time of creation, in seconds since 1970.
        status: SageMaker's status; empty for a kind that has none.
        price_usd_per_h: all instances together, 0 for a kind without instances; None if the price is unknown.
        expires_s: seconds since 1970 after which it counts as forgotten; None for never.
        run: the run that created it, from its tag; empty for a kind without tags.
        detail: the upload or the log, for its deletion.
    """

    kind: SweptKind
    name: str
    region: str
    since_s: float
    status: str = ""
    price_usd_per_h: float | None = 0.0
    expires_s: float | None = None
    run: str = ""
    detail: Any = field(default=None, compare=False)

    @property
    def key(self) -> tuple[str, ...]:
        """Its identity in a later search."""
        return self.kind, self.region, self.name, getattr(self.detail, "id", "")

    @property
    def is_billed(self) -> bool:
        """Whether it costs money by the hour."""
        return self.kind in BILLED

    def __str__(self) -> str:
        return f"{self.kind} {self.name} in {self.region}"


@dataclass(frozen=True)
class Survey:
    """Existing resources in the order of deletion, what AWS does not show, and regions that the account lacks."""

    items: tuple[Item, ...]
    unreadable: tuple[Unreadable, ...]
    not_enabled: tuple[str, ...] = ()


@dataclass(frozen=True)
class Selection:
    """The resources to delete: the expired ones, those of an age, or all.

    Attributes:
        older_than_s: the least age in seconds; None selects by the expiry tag, which uploads, objects, logs and
            jobs do not have.
    """

    older_than_s: float | None

    def select(self, survey: Survey, *, now_s: float) -> tuple[Item, ...]:
        """Return the selected resources at a time (seconds since 1970).

        A configuration and a model follow the endpoint of their name.
        """
        endpoints = {(item.region, item.name): item for item in survey.items if item.kind == "endpoint"}

        def follows(item: Item) -> Item:
            return endpoints.get((item.region, item.name), item) if item.kind in _OF_ENDPOINTS else item

        return tuple(item for item in survey.items if self._takes(follows(item), now_s))

    def _takes(self, item: Item, now_s: float) -> bool:
        if self.older_than_s is None:
            return item.expires_s is not None and item.expires_s <= now_s
        return now_s - item.since_s >= self.older_than_s


@dataclass(frozen=True)
class Swept:
    """The result of a deletion.

    Attributes:
        deleted: resources that a new search no longer finds.
        problems: the others, each with the reason.
    """

    deleted: tuple[Item, ...]
    problems: tuple[tuple[Item, AsteroidError], ...]


class Sweeper:
    """Searches and deletes in several regions of one account; use `open_sweeper`.

    Args:
        regions: a connection for each region.
        bucket: returns a region's bucket, given its connection; None for a region without one.
        prefix: the prefix of a run's objects in the bucket.
        objects: whether objects are searched.
        logs: whether logs are searched.
        may_be_disabled: whether a region may refuse the credentials because the account has not enabled it.
    """

    def __init__(
        self,
        regions: Sequence[Aws],
        *,
        bucket: Callable[[Aws], str | None],
        prefix: str,
        objects: bool,
        logs: bool,
        may_be_disabled: bool,
    ) -> None:
        self._regions = {aws.region: aws for aws in regions}
        self._bucket = bucket
        self._prefix = f"{prefix}/"
        self._objects = objects
        self._logs = logs
        self._may_be_disabled = may_be_disabled

    @property
    def regions(self) -> tuple[str, ...]:
        """The names of the regions."""
        return tuple(self._regions)

    def search(self, regions: Sequence[str] = ()) -> Survey:
        """Return what exists in some of the regions, or in all of them."""
        chosen = [aws for region, aws in self._regions.items() if not regions or region in regions]
        surveys = _together(self._search_region, chosen)
        items = [item for survey in surveys for item in survey.items]
        return Survey(
            items=tuple(sorted(items, key=lambda item: (ORDER.index(item.kind), item.region, item.name))),
            unreadable=tuple(item for survey in surveys for item in survey.unreadable),
            not_enabled=tuple(region for survey in surveys for region in survey.not_enabled),
        )

    def delete(self, targets: Sequence[Item], survey: Survey) -> Swept:
        """Delete resources of a survey and search again; one failure does not keep the others."""
        failures: dict[tuple[str, ...], AsteroidError] = {}
        unknown = {(item.region, item.name) for item in survey.unreadable if item.kind == "endpoint"}
        for kind in ORDER:
            batch = [target for target in targets if target.kind == kind]
            if kind in _OF_ENDPOINTS:  # AWS forbids their deletion while the endpoint exists
                in_use = [
                    item
                    for item in batch
                    if ("endpoint", item.region, item.name, "") in failures
                    or {(item.region, item.name), (item.region, "")} & unknown
                ]
                failures |= {item.key: LeakError("Its endpoint may exist.", hint=AGAIN) for item in in_use}
                batch = [item for item in batch if item not in in_use]
            for target, failure in zip(batch, _together(self._delete_one, batch), strict=True):
                if failure is not None:
                    failures[target.key] = failure
        return _proof(targets, failures, self._search_until_gone(targets, failures.keys()))

    def _search_until_gone(self, targets: Sequence[Item], failed: Any) -> Survey:
        """Search the regions of the targets until none is found whose deletion was accepted; listings may lag."""
        last: list[Survey] = []
        expected_gone = {target.key for target in targets} - set(failed)
        regions = sorted({target.region for target in targets})
        if not regions:
            return Survey((), ())

        def search() -> Survey:
            last[:] = [self.search(regions)]
            return last[0]

        try:
            return poll(
                search,
                until=lambda survey: expected_gone.isdisjoint(item.key for item in survey.items),
                pace=self._regions[regions[0]].pace,
                timeout_s=_SEARCH_AGAIN_S,
                what="the listings to show the deletions",
            )
        except WaitError:
            return last[0]

    def _search_region(self, aws: Aws) -> Survey:
        result = inventory(aws, kinds=(*BILLED, "endpoint-config", "model"))
        if self._may_be_disabled and any(_is_not_enabled(item.error) for item in result.unreadable):
            return Survey((), (), not_enabled=(aws.region,))
        items = [
            Item(x.kind, x.name, x.region, x.since_s, x.status, x.price_usd_per_h, x.expires_s, x.run)
            for x in result.resources
        ]
        unreadable = list(result.unreadable)
        for kind, search in (("upload", self._uploads), ("object", self._objects_of), ("log", self._logs_of)):
            try:
                items += search(aws)
            except Exception as error:
                unreadable.append(Unreadable(kind, "", aws.region, expected(error, f"listing {kind}s")))
        return Survey(tuple(items), tuple(unreadable))

    def _uploads(self, aws: Aws) -> list[Item]:
        bucket = self._bucket(aws)
        uploads = storage.list_uploads(aws, bucket, self._prefix) if bucket else []
        return [Item("upload", f"s3://{bucket}/{x.key}", aws.region, x.since_s, detail=x) for x in uploads]

    def _objects_of(self, aws: Aws) -> list[Item]:
        bucket = self._bucket(aws) if self._objects else None
        objects = storage.list_objects(aws, bucket, self._prefix) if bucket else []
        return [Item("object", f"s3://{bucket}/{key}", aws.region, since_s) for key, since_s in objects]

    def _logs_of(self, aws: Aws) -> list[Item]:
        streams = logs.list_logs(aws, NAME_PREFIX) if self._logs else []
        return [Item("log", f"{x.group}/{x.stream}".rstrip("/"), aws.region, x.since_s, detail=x) for x in streams]

    def _delete_one(self, target: Item) -> AsteroidError | None:
        """Delete one resource; return the failure."""
        aws = self._regions[target.region]
        try:
            if target.kind == "endpoint":
                delete_endpoint(aws, target.name)
            elif target.kind == "training-job" or target.kind == "transform-job":
                stop_job(aws, target.kind, target.name)
            elif target.kind in ("endpoint-config", "model"):
                resources.delete(aws, target.kind, target.name)
            elif target.kind == "upload":
                storage.abort_upload(aws, storage.parse_uri(target.name)[0], target.detail)
            elif target.kind == "object":
                storage.delete_object(aws, *storage.parse_uri(target.name))
            else:
                logs.delete_log(aws, target.detail)
        except Exception as error:
            return expected(error, f"deleting {target}")
        return None


@contextmanager
def open_sweeper(
    home: Aws,
    *,
    regions: Sequence[str] | Literal["all"],
    bucket: Callable[[str, str], str | None],
    prefix: str,
    objects: bool = False,
    logs: bool = False,
) -> Iterator[Sweeper]:
    """Open a sweeper on the account of a connection.

    Args:
        home: a connection; it stays open.
        regions: the regions to search; ``all`` for every region of the partition that has SageMaker.
        bucket: returns the bucket of a region and an account; None for a region without one.
        prefix: the prefix of a run's objects, without a ``/`` at the end.
        objects: also search the objects under the prefix.
        logs: also search the logs of jobs and endpoints.

    Raises:
        CredentialsError: AWS does not accept the credentials.
        AwsError: STS cannot be reached.
    """
    with ExitStack() as stack:
        names = home.regions() if regions == "all" else tuple(dict.fromkeys(regions))
        yield Sweeper(
            [stack.enter_context(closing(home.in_region(name))) for name in names],
            bucket=lambda aws: bucket(aws.region, aws.account_id),
            prefix=prefix,
            objects=objects,
            logs=logs,
            may_be_disabled=regions == "all",
        )


def failure_of(survey: Survey, swept: Swept) -> AsteroidError | None:
    """Return one error that names everything that is, or may be, left; None if there is nothing.

    It is a CredentialsError if credentials are the only cause, else a LeakError.
    """
    targets = {(target.region, target.kind, target.name) for target, _ in swept.problems}
    unknown = [item for item in survey.unreadable if (item.region, item.kind, item.name) not in targets]
    parts = []
    if swept.problems:
        reasons = "; ".join(f"{target}: {error.what.rstrip('.')}" for target, error in swept.problems)
        parts.append(f"Not deleted: {reasons}.")
    if unknown:
        reasons = "; ".join(f"{item}: {item.error.what.rstrip('.')}" for item in unknown)
        parts.append(f"Whether these are ours is unknown, so they were left: {reasons}.")
    if not parts:
        return None
    errors = [error for _, error in swept.problems] + [item.error for item in unknown]
    if all(isinstance(error, CredentialsError) for error in errors):
        return CredentialsError(" ".join(parts), hint=errors[0].hint)
    return LeakError(" ".join(parts), hint=AGAIN)


def _proof(targets: Sequence[Item], failures: Mapping[tuple[str, ...], AsteroidError], survey: Survey) -> Swept:
    """Return which targets a new search no longer finds, and the reasons for the others."""
    existing = {item.key for item in survey.items}
    deleted: list[Item] = []
    problems: list[tuple[Item, AsteroidError]] = []
    for target in targets:
        hidden = next((item for item in survey.unreadable if _hides(item, target)), None)
        if target.key in existing:
            problems.append((target, failures.get(target.key) or LeakError("It still exists.", hint=AGAIN)))
        elif hidden is not None:
            problems.append((target, failures.get(target.key) or hidden.error))
        else:
            deleted.append(target)
    return Swept(tuple(deleted), tuple(problems))


def _hides(item: Unreadable, target: Item) -> bool:
    """Return whether an unreadable resource or listing may hide a target."""
    return (item.region, item.kind) == (target.region, target.kind) and item.name in ("", target.name)


def _is_not_enabled(error: AsteroidError) -> bool:
    return isinstance(error, CredentialsError) and error.context.get("code") in _NOT_ENABLED


def _together(function: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """Return the results of a function in the order of the items, with several calls at a time."""
    with ThreadPoolExecutor(max_workers=_N_THREADS) as pool:
        try:
            return list(pool.map(function, items))
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
