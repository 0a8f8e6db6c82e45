"""The whole table of JPL's small-body database, page by page. Each page is stored when it arrives.

The database may change between two pages, which moves the later rows (parameter ``limit-from`` in
https://ssd-api.jpl.nasa.gov/doc/sbdb_query.html). The total is therefore requested before the first page and after the
last one. If it has changed, the table is read again. An interrupted download resumes at the first page that is missing,
if the total is still the same.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from asteroid_ll.errors import DataError
from asteroid_ll.neo.sources.base import Progress, Web
from asteroid_ll.neo.sources.neows_crawl import Pages

PAGE_ROWS = 20_000
"""Rows per page: about 5 MB, and 75 pages for 1.5 million asteroids."""

PASSES = 3
"""Times that the table is read before its changes are reported."""

Answer = dict[str, Any]


def write_pages(
    request: Callable[[Mapping[str, str]], Answer],
    query: Mapping[str, str],
    *,
    pages_folder: Path,
    target: Path,
    web: Web,
) -> None:
    """Write every row of a query, one page per line.

    Args:
        request: sends a query, and returns its checked answer.
        query: the query, with its fields.
        pages_folder: folder of the pages that arrived; it is kept after a failure.
        target: file to write.
        web: shows the progress.

    Raises:
        DataError: a request fails, a page is not the one that was requested, or the total changes in every pass.
    """
    of_all = {name: value for name, value in query.items() if name != "fields"}
    total = _count(request, of_all)
    for _ in range(PASSES):
        pages = Pages(pages_folder, {**query, "count": total, "limit": PAGE_ROWS})
        pages.open()
        problem = _read_all(request, query, pages, total=total, progress=Progress(web))
        now = _count(request, of_all)
        if now == total and problem:
            raise DataError(problem, hint="Run the same command again: the pages before it are kept.")
        if now == total:
            with target.open("wb") as lines:
                for number in range(_n_pages(total)):
                    with pages.path(number).open("rb") as page:
                        shutil.copyfileobj(page, lines)
                    lines.write(b"\n")
            return
        before, total = total, now
        pages.remove()
    raise DataError(
        f"The database changes while it is read: it had {before:,} rows, then {total:,}.",
        hint="Run the same command again later.",
    )


def _count(request: Callable[[Mapping[str, str]], Answer], query: Mapping[str, str]) -> int:
    """Return the number of rows of a query: without fields, the answer has only the count."""
    return int(request(query)["count"])


def _n_pages(total: int) -> int:
    return -(-total // PAGE_ROWS)


def _read_all(
    request: Callable[[Mapping[str, str]], Answer],
    query: Mapping[str, str],
    pages: Pages,
    *,
    total: int,
    progress: Progress,
) -> str:
    """Request the pages that are missing; return what is wrong with one, or an empty text."""
    for number in range(_n_pages(total)):
        if pages.path(number).is_file():
            continue
        first = number * PAGE_ROWS
        answer = request({**query, "limit": str(PAGE_ROWS), "limit-from": str(first)})
        n_rows, expected = len(answer.get("data", [])), min(PAGE_ROWS, total - first)
        if n_rows != expected or int(answer["count"]) not in (total, n_rows):
            return (
                f"Page {number + 1:,} of {_n_pages(total):,} has {n_rows:,} rows and the count {answer['count']}, "
                f"expected {expected:,} rows of {total:,}."
            )
        pages.keep(number, {**answer, "count": n_rows})
        progress(f"page {number + 1:,} of {_n_pages(total):,}")
    return ""
