"""A crawl of NeoWs. Each page is stored when it arrives, and an interrupted crawl resumes there.

The list grows and shrinks while it is read. A new asteroid shifts the later ones, so one of them is read twice. A
removed one shifts them back, so one is missed at the border of the next page. If the total changes from one page to
the next, earlier pages are therefore requested again, backwards to the first unchanged one. Asteroids are joined by
identity, and their number must be the one that NeoWs announces. The crawl returns every asteroid that is listed from
beginning to end; one that takes the place of another meanwhile may have to wait for the next crawl.
"""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Progress, Web
from asteroid_ll.neo.sources.neows_client import DEMO_REQUESTS_PER_DAY, NeowsClient, UnusableError
from asteroid_ll.run.atomic import atomic_write

PAGE_SIZE = 20
"""Asteroids per page, the most that NeoWs gives."""

FEED_DAYS = 7
"""Days of one request to the feed, the most that NeoWs gives."""

PASSES = 3
"""Times that the list is read before the crawl gives up on its count."""

Objects = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Pages:
    """The pages that arrived, kept in a folder until the crawl is complete.

    Attributes:
        folder: folder of the pages.
        query: the crawl's parameters; pages of another query are removed.
    """

    folder: Path
    query: Mapping[str, Any]

    def open(self) -> None:
        """Make the folder, empty unless it contains pages of the same query."""
        note = self.folder / "crawl.json"
        content = json.dumps(self.query, sort_keys=True).encode()
        if not note.is_file() or note.read_bytes() != content:
            self.remove()
            atomic_write(note, content)

    def remove(self) -> None:
        """Remove the folder and all pages."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, number: int) -> Path:
        """Return the path of a page."""
        return self.folder / f"page-{number:05d}.json"

    def load(self, number: int) -> dict[str, Any] | None:
        """Return a kept page, None if there is none."""
        try:
            page = json.loads(self.path(number).read_bytes())
        except (OSError, ValueError):
            return None
        return page if isinstance(page, dict) else None

    def keep(self, number: int, page: Mapping[str, Any]) -> None:
        """Keep a page, whole or not at all."""
        atomic_write(self.path(number), json.dumps(page, separators=(",", ":")).encode())


def browse(client: NeowsClient, pages: Pages, *, web: Web) -> Objects:
    """Return every asteroid of NeoWs by identity.

    Raises:
        CredentialsError: the key is refused.
        DataError: NeoWs blocks or fails, or its list cannot be completed; the pages that arrived are kept.
    """
    pages.open()
    _show_duration(client, pages, say=web.say)
    progress = Progress(web)
    objects: Objects = {}
    expected = 0
    for number in range(PASSES):
        listed = _read_all(client, pages, fresh=number > 0, say=progress)
        objects = {}
        for page in listed:
            _merge(objects, page["near_earth_objects"])
        expected = listed[-1]["page"]["total_elements"]
        if len(objects) == expected:
            return objects
    raise DataError(
        f"NeoWs announces {expected} asteroids and gave {len(objects)} in {PASSES} passes.",
        hint="Run the same command again later, or use the source sbdb: one request for all.",
    )


def _read_all(client: NeowsClient, pages: Pages, *, fresh: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return all pages, kept ones unless ``fresh``, reconciled if the total changed between them."""
    listed: list[dict[str, Any]] = []
    n_pages = 1
    while len(listed) < n_pages:
        number = len(listed)
        page = None if fresh else pages.load(number)
        if page is None:
            page = _page(client, pages, number)
            say(f"page {number + 1:,} of {page['page']['total_pages']:,}")
        if listed and page["page"]["total_elements"] != listed[-1]["page"]["total_elements"]:
            _walk_back(client, pages, listed)
        listed.append(page)
        n_pages = page["page"]["total_pages"]
    return listed


def _walk_back(client: NeowsClient, pages: Pages, listed: list[dict[str, Any]]) -> None:
    """Request the listed pages again, from the last one back to the first unchanged one."""
    for number in reversed(range(len(listed))):
        before, listed[number] = listed[number], _page(client, pages, number)
        if [*map(identity, before["near_earth_objects"])] == [*map(identity, listed[number]["near_earth_objects"])]:
            return


def _page(client: NeowsClient, pages: Pages, number: int) -> dict[str, Any]:
    """Request a page, and keep it."""

    def check(page: Mapping[str, Any]) -> None:
        position, objects = page.get("page"), page.get("near_earth_objects")
        if not isinstance(position, dict) or not isinstance(objects, list):
            raise UnusableError("the answer is not a page of asteroids")
        if not all(isinstance(position.get(name), int) for name in ("number", "total_pages", "total_elements")):
            raise UnusableError("the page has no number and totals")
        if position["number"] != number:
            raise UnusableError(f"page {position['number']} came instead of page {number}")
        if not objects and number < position["total_pages"]:
            raise UnusableError(f"page {number} of {position['total_pages']} came empty")
        _require_identities(objects)

    page = client.request("/neo/browse", {"page": str(number), "size": str(PAGE_SIZE)}, check=check)
    if page is None:
        raise DataError(f"NeoWs has no page {number}.", hint="Run the same command again: it resumes at this page.")
    pages.keep(number, page)
    return page


def feed(client: NeowsClient, pages: Pages, *, start: str, end: str, web: Web) -> Objects:
    """Return the asteroids that approach the Earth between two days (inclusive, YYYY-MM-DD), by identity.

    Raises:
        CredentialsError: the key is refused.
        DataError: a day is not in the calendar, or NeoWs blocks, refuses or fails; the weeks that arrived are kept.
    """
    pages.open()
    windows = list(weeks(start, end))
    progress = Progress(web)
    objects: Objects = {}
    for number, (first, last) in enumerate(windows):
        page = pages.load(number)
        if page is None:
            page = _week(client, first, last)
            pages.keep(number, page)
            progress(f"week {number + 1:,} of {len(windows):,}")
        for approaching in page["near_earth_objects"].values():
            _merge(objects, approaching)
    return objects


def _week(client: NeowsClient, first: str, last: str) -> dict[str, Any]:
    def check(page: Mapping[str, Any]) -> None:
        listed = page.get("near_earth_objects")
        if not isinstance(listed, dict) or not all(isinstance(objects, list) for objects in listed.values()):
            raise UnusableError("the answer is not a feed of asteroids")
        n_listed = sum(map(len, listed.values()))
        if page.get("element_count") != n_listed:
            raise UnusableError(f"the feed announces {page.get('element_count')} approaches and lists {n_listed}")
        for objects in listed.values():
            _require_identities(objects)

    page = client.request("/feed", {"start_date": first, "end_date": last, "detailed": "true"}, check=check)
    if page is None:
        raise DataError(f"NeoWs has no feed for {first}.", hint="Check source.start_date and source.end_date.")
    return page


def weeks(start: str, end: str) -> Iterator[tuple[str, str]]:
    """Yield the first and last day of each request that covers the days from ``start`` to ``end``.

    Raises:
        DataError: a day is not in the calendar.
    """
    try:
        first, last = datetime.date.fromisoformat(start), datetime.date.fromisoformat(end)
    except ValueError as error:
        raise DataError(
            f"{start} to {end} are not days of the calendar: {error}.", hint="Write days as 2026-11-24."
        ) from error
    while first <= last:
        stop = min(first + datetime.timedelta(days=FEED_DAYS - 1), last)
        yield first.isoformat(), stop.isoformat()
        first = stop + datetime.timedelta(days=1)


def identity(item: Mapping[str, Any]) -> str:
    """Return an object's SPK-ID. Objects of 2018 have no ``id``."""
    return str(item.get("neo_reference_id") or item.get("id") or "")


def _merge(objects: Objects, more: Iterable[dict[str, Any]]) -> None:
    """Add objects. A newer object replaces an earlier one and keeps the approaches of both."""
    for item in more:
        name = identity(item)
        earlier = objects.get(name)
        if earlier is not None:
            dates = {_date_and_body(approach) for approach in item.get("close_approach_data") or []}
            kept = [a for a in earlier.get("close_approach_data") or [] if _date_and_body(a) not in dates]
            item = {**item, "close_approach_data": kept + (item.get("close_approach_data") or [])}
        objects[name] = item


def _date_and_body(approach: Mapping[str, Any]) -> tuple[Any, Any]:
    return approach.get("close_approach_date"), approach.get("orbiting_body")


def _require_identities(objects: list[Any]) -> None:
    if not all(isinstance(item, dict) and identity(item) for item in objects):
        raise UnusableError("an asteroid has no identity")


def _show_duration(client: NeowsClient, pages: Pages, *, say: Callable[[str], None]) -> None:
    """Show how long the crawl will take under the key's limits."""
    first = pages.load(0) or _page(client, pages, 0)
    total = first["page"]["total_pages"]
    remaining = total - sum(pages.path(number).is_file() for number in range(total))
    if remaining <= 0:
        return
    if client.key.is_demo:
        say(
            f"{remaining:,} pages to come; DEMO_KEY has {client.requests_per_h} requests per hour and "
            f"{DEMO_REQUESTS_PER_DAY} per day: {max(1, round(remaining / DEMO_REQUESTS_PER_DAY)):,} days. A personal "
            "key in NASA_API_KEY is free (https://api.nasa.gov); the source sbdb needs one request and no key"
        )
    else:
        hours = remaining / client.requests_per_h
        duration = f"about {hours:.1f} h" if hours >= 1 else "less than an hour"
        say(f"{remaining:,} pages to come at {client.requests_per_h:,} requests per hour: {duration}")
