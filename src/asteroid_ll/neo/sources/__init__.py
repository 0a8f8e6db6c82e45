"""The sources of asteroids, one declaration each. A source's module is imported when the source is opened."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from asteroid_ll.neo.sources.base import Source, SourceSpec, Web
from asteroid_ll.neo.sources.packed import MAX_FILE_BYTES

_BASE_URL = "address of the service; null is the official one"
_ROWS = "asteroid is one row per asteroid, approach one per close approach to the Earth, with velocity and distance"
_START = "first day of approaches, YYYY-MM-DD"
_END = "last day of approaches, YYYY-MM-DD"
_GROUP = "neo is the near-Earth asteroids, all is every known asteroid"

SOURCES: Mapping[str, SourceSpec] = MappingProxyType(
    {
        spec.kind: spec
        for spec in (
            SourceSpec(
                kind="catalogue",
                title="bundled catalogue of near-Earth asteroids",
                meaning="every known near-Earth asteroid with a measured magnitude; bundled, needs no network",
                opener="asteroid_ll.neo.sources.catalogue:CatalogueSource",
                file_name="catalogue.csv.gz",
                credit="Minor Planet Center (International Astronomical Union), public catalogue data",
            ),
            SourceSpec(
                kind="csv",
                title="CSV file",
                meaning="a CSV file, such as the 40-column NeoWs export",
                opener="asteroid_ll.neo.sources.csv:CsvSource",
                file_name="asteroids.csv",
                options={"location": "a path or an http(s) or s3 URL"},
                required=("location",),
                max_bytes=MAX_FILE_BYTES,
            ),
            SourceSpec(
                kind="sbdb",
                title="JPL small-body database",
                meaning="JPL's small-body database",
                opener="asteroid_ll.neo.sources.sbdb:SbdbSource",
                file_name="sbdb.jsonl",
                credit="NASA/JPL-Caltech, Solar System Dynamics",
                options={
                    "group": _GROUP,
                    "base_url": _BASE_URL,
                    "rows": _ROWS,
                    "start_date": _START,
                    "end_date": _END,
                },
                dated_by=("rows", "approach"),
            ),
            SourceSpec(
                kind="neows",
                title="NASA NeoWs",
                meaning="NASA's NeoWs, page by page, with the key in NASA_API_KEY",
                opener="asteroid_ll.neo.sources.neows:NeowsSource",
                file_name="neows.jsonl.gz",
                credit="NASA NeoWs, data of NASA/JPL-Caltech",
                options={
                    "base_url": _BASE_URL,
                    "rows": _ROWS,
                    "crawl": "browse reads every asteroid, feed those that approach from start_date to end_date",
                    "start_date": _START,
                    "end_date": _END,
                },
                dated_by=("crawl", "feed"),
            ),
            SourceSpec(
                kind="mpc",
                title="Minor Planet Center's list",
                meaning="a list of the Minor Planet Center, as JSON (nea_extended.json.gz, mpcorb_extended.json.gz) or "
                "as lines (MPCORB.DAT.gz)",
                opener="asteroid_ll.neo.sources.mpc:MpcSource",
                file_name="mpc_list",
                credit="Minor Planet Center (International Astronomical Union)",
                options={
                    "group": _GROUP,
                    "location": "a path or an http(s) or s3 URL; null is the official address of the group's list",
                },
                max_bytes=MAX_FILE_BYTES,
            ),
        )
    }
)
"""Every source by its kind."""


def kinds_with(option: str) -> str:
    """Return the kinds of source that have an option: ``sbdb and neows``."""
    return " and ".join(kind for kind, spec in SOURCES.items() if option in spec.options)


def option_meaning(option: str) -> str:
    """Return the meaning of an option for each kind of source that has it: ``For sbdb and neows: ...``."""
    kinds: dict[str, list[str]] = {}
    for kind, spec in SOURCES.items():
        if option in spec.options:
            kinds.setdefault(spec.options[option], []).append(kind)
    return " ".join(f"For {' and '.join(names)}: {meaning}." for meaning, names in kinds.items())


def open_source(kind: str, *, web: Web | None = None, **options: str | None) -> Source:
    """Return a source, ready to fetch and to read.

    Args:
        kind: a key of ``SOURCES``.
        web: progress, clock and further protocols of downloads.
        options: values of the source's options.
    """
    spec = SOURCES[kind]
    module, _, name = spec.opener.partition(":")
    source: Source = getattr(import_module(module), name)(spec, web or Web(), **options)
    return source
