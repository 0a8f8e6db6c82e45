"""A crawl of NeoWs that loses nothing: each page is kept when it comes, and a crawl that ended early goes on there.

The list grows and shrinks while it is read. An asteroid that is added moves the later ones on, so that one of them is
met twice; one that goes moves them back, so that one is missed at the border of the next page. Where the total changes
from one page to the next, earlier pages are therefore asked for again, backwards until one is as it was; asteroids are
joined by identity, and their count has to be the one that NeoWs gives. So every asteroid is found that is listed from
beginning to end; one that takes the place of another just then may have to wait for the next crawl.
"""

from __future__ import annotations

import datetime
import json
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.neows_client import DEMO_REQUESTS_PER_DAY, Key, NeowsClient, UnusableError
from asteroid_ll.neo.sources.web import Progress, Web
from asteroid_ll.run.atomic import atomic_write

PAGE_SIZE = 20
"""Asteroids a page: the most that NeoWs gives."""

FEED_DAYS = 7
"""Days of one request to the feed: the most that NeoWs gives."""

PASSES = 3
"""How often the list is read before the crawl gives up on its count."""

Objects = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Pages:
    """The pages that came, kept in a folder until the crawl is complete.

    Attributes:
        folder: where they are kept.
        query: what was asked for; pages of another query are removed.
    """

    folder: Path
    query: Mapping[str, Any]

    def open(self) -> None:
        """Make the folder, empty unless it holds pages of the same query."""
        note = self.folder / "crawl.json"
        wanted = json.dumps(self.query, sort_keys=True).encode()
        if not note.is_file() or note.read_bytes() != wanted:
            self.remove()
            atomic_write(note, wanted)

    def remove(self) -> None:
        """Remove the folder and all pages."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, number: int) -> Path:
        """Return where a page is kept."""
        return self.folder / f"page-{number:05d}.json"

    def load(self, number: int) -> dict[str, Any] | None:
        """Return a kept page, None where there is none."""
        try:
            page = json.loads(self.path(number).read_bytes())
        except (OSError, ValueError):
            return None
        return page if isinstance(page, dict) else None

    def keep(self, number: int, page: Mapping[str, Any]) -> None:
        """Keep a page, whole or not at all."""
        atomic_write(self.path(number), json.dumps(page, separators=(",", ":")).encode())


def browse(client: NeowsClient, pages: Pages, *, key: Key, web: Web) -> Objects:
    """Return every asteroid of NeoWs by identity.

    Raises:
        CredentialsError: the key is refused.
        DataError: NeoWs blocks or fails, or its list cannot be completed; the pages that came are kept.
    """
    pages.open()
    _say_duration(client, pages, key=key, say=web.say)
    progress = Progress(web)
    found: Objects = {}
    expected = 0
    for number in range(PASSES):
        listed = _read_all(client, pages, fresh=number > 0, say=progress)
        found = {}
        for page in listed:
            merge(found, page["near_earth_objects"])
        expected = listed[-1]["page"]["total_elements"]
        if len(found) == expected:
            return found
    raise DataError(
        f"NeoWs says that it has {expected} asteroids and gave {len(found)} in {PASSES} passes.",
        hint="Run the same command again later, or use the source sbdb: one request for all.",
    )


def _read_all(client: NeowsClient, pages: Pages, *, fresh: bool, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return all pages, kept ones unless ``fresh``, made to fit each other where the total changed between them."""
    listed: list[dict[str, Any]] = []
    n_pages = 1
    while len(listed) < n_pages:
        number = len(listed)
        page = None if fresh else pages.load(number)
        if page is None:
            page = _page(client, number)
            pages.keep(number, page)
            say(f"page {number + 1:,} of {page['page']['total_pages']:,}")
        if listed and page["page"]["total_elements"] != listed[-1]["page"]["total_elements"]:
            _walk_back(client, pages, listed)
        listed.append(page)
        n_pages = page["page"]["total_pages"]
    return listed


def _walk_back(client: NeowsClient, pages: Pages, listed: list[dict[str, Any]]) -> None:
    """Ask for the listed pages again, from the last one back to the first that is as it was."""
    for number in reversed(range(len(listed))):
        page = _page(client, number)
        pages.keep(number, page)
        before, listed[number] = listed[number], page
        if [*map(identity, before["near_earth_objects"])] == [*map(identity, page["near_earth_objects"])]:
            return


def _page(client: NeowsClient, number: int) -> dict[str, Any]:
    def check(page: Mapping[str, Any]) -> None:
        told, objects = page.get("page"), page.get("near_earth_objects")
        if not isinstance(told, dict) or not isinstance(objects, list):
            raise UnusableError("the answer is no page of asteroids")
        if not all(isinstance(told.get(name), int) for name in ("number", "total_pages", "total_elements")):
            raise UnusableError("the page does not say which of how many it is")
        if told["number"] != number:
            raise UnusableError(f"page {told['number']} came instead of page {number}")
        if not objects and number < told["total_pages"]:
            raise UnusableError(f"page {number} of {told['total_pages']} came empty")
        _require_identities(objects)

    page = client.ask("/neo/browse", {"page": str(number), "size": str(PAGE_SIZE)}, check=check)
    if page is None:
        raise DataError(
            f"NeoWs has no page {number}.", hint="Run the same command again: the pages that came are kept."
        )
    return page


def feed(client: NeowsClient, pages: Pages, *, days: tuple[str, str], web: Web) -> Objects:
    """Return the asteroids that approach the Earth between two days (inclusive, YYYY-MM-DD), by identity.

    Raises:
        CredentialsError: the key is refused.
        DataError: a day is none, or NeoWs blocks, refuses or fails; the weeks that came are kept.
    """
    pages.open()
    windows = list(weeks(*days))
    progress = Progress(web)
    found: Objects = {}
    for number, (first, last) in enumerate(windows):
        page = pages.load(number)
        if page is None:
            page = _week(client, first, last)
            pages.keep(number, page)
            progress(f"week {number + 1:,} of {len(windows):,}")
        for objects in page["near_earth_objects"].values():
            merge(found, objects)
    return found


def _week(client: NeowsClient, first: str, last: str) -> dict[str, Any]:
    def check(page: Mapping[str, Any]) -> None:
        listed = page.get("near_earth_objects")
        if not isinstance(listed, dict) or not all(isinstance(objects, list) for objects in listed.values()):
            raise UnusableError("the answer is no feed of asteroids")
        if page.get("element_count") != sum(map(len, listed.values())):
            raise UnusableError(f"the feed announces {page.get('element_count')} approaches and lists others")
        for objects in listed.values():
            _require_identities(objects)

    page = client.ask("/feed", {"start_date": first, "end_date": last, "detailed": "true"}, check=check)
    if page is None:
        raise DataError(f"NeoWs has no feed for {first}.", hint="Check source.start_date and source.end_date.")
    return page


def weeks(start: str, end: str) -> Iterable[tuple[str, str]]:
    """Yield the first and last day of each request that covers the days from ``start`` to ``end``.

    Raises:
        DataError: a day is not in the calendar.
    """
    try:
        first, last = datetime.date.fromisoformat(start), datetime.date.fromisoformat(end)
    except ValueError as error:
        raise DataError(
            f"{start} to {end} are no days of the calendar: {error}.", hint="Write days as 2026-11-24."
        ) from error
    while first <= last:
        stop = min(first + datetime.timedelta(days=FEED_DAYS - 1), last)
        yield first.isoformat(), stop.isoformat()
        first = stop + datetime.timedelta(days=1)


def identity(item: Mapping[str, Any]) -> str:
    """Return an object's SPK-ID; payloads of 2018 have no ``id``."""
    return str(item.get("neo_reference_id") or item.get("id") or "")


def merge(found: Objects, objects: Iterable[dict[str, Any]]) -> None:
    """Add objects; of one that is there already, the newer one counts, with the approaches of both."""
    for item in objects:
        name = identity(item)
        earlier = found.get(name)
        if earlier is not None:
            dates = {_when(approach) for approach in item.get("close_approach_data") or []}
            kept = [a for a in earlier.get("close_approach_data") or [] if _when(a) not in dates]
            item = {**item, "close_approach_data": kept + (item.get("close_approach_data") or [])}
        found[name] = item


def _when(approach: Mapping[str, Any]) -> tuple[Any, Any]:
    return approach.get("close_approach_date"), approach.get("orbiting_body")


def _require_identities(objects: list[Any]) -> None:
    if not all(isinstance(item, dict) and identity(item) for item in objects):
        raise UnusableError("an asteroid has no identity")


def _say_duration(client: NeowsClient, pages: Pages, *, key: Key, say: Callable[[str], None]) -> None:
    """Say beforehand how long the crawl will take under the key's limits."""
    first = pages.load(0)
    if first is None:
        first = _page(client, 0)
        pages.keep(0, first)
    total = first["page"]["total_pages"]
    left = total - sum(pages.path(number).is_file() for number in range(total))
    if left <= 0:
        return
    if key.is_demo:
        say(
            f"{left:,} pages to come; DEMO_KEY has {client.requests_per_h} requests an hour and "
            f"{DEMO_REQUESTS_PER_DAY} a day: {max(1, round(left / DEMO_REQUESTS_PER_DAY)):,} days. A key of your own "
            "in NASA_API_KEY is free (https://api.nasa.gov); the source sbdb needs one request and no key"
        )
    else:
        hours = left / client.requests_per_h
        takes = f"about {hours:.1f} h" if hours >= 1 else "less than an hour"
        say(f"{left:,} pages to come at {client.requests_per_h:,} requests an hour: {takes}")
