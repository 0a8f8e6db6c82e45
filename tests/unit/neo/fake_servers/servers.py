"""Loopback servers that speak the documented protocols of NeoWs and of JPL's services, their errors included."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

PAGE_SIZE = 20


@dataclass
class Reply:
    """A server's reply; ``cut`` bytes of the announced length are not sent."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: int = 0

    @classmethod
    def json(cls, value: Any, *, status: int = 200, **headers: str) -> Reply:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})


@dataclass
class Request:
    """A request that a server received."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]


@contextmanager
def serving(answer: Callable[[Request], Reply]) -> Iterator[str]:
    """Serve on a loopback port while the block runs; yields the address."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            reply = answer(Request(parts.path, query, {k.lower(): v for k, v in self.headers.items()}))
            try:
                self.send_response(reply.status)
                for name, value in reply.headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(reply.body)))
                self.end_headers()
                self.wfile.write(reply.body[: len(reply.body) - reply.cut])
            except ConnectionError:
                return

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002, ARG002 - the base class's own names
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def neo(number: int, *, approaches: int = 2, **changes: Any) -> dict[str, Any]:
    """One object of NeoWs: numbers of orbits and approaches are texts, without their leading zero."""
    hazardous = number % 3 == 0
    semi_major_axis_au, eccentricity = 1.0 + number / 100, 0.3
    item: dict[str, Any] = {
        "links": {"self": f"http://www.neowsapp.com/rest/v1/neo/{3_000_000 + number}?api_key=SECRET"},
        "id": str(3_000_000 + number),
        "neo_reference_id": str(3_000_000 + number),
        "name": f"(2010 AA{number})",
        "nasa_jpl_url": "https://ssd.jpl.nasa.gov/tools/sbdb_lookup.html",
        "absolute_magnitude_h": 20.5 if hazardous else 24.25,
        "estimated_diameter": {
            unit: {"estimated_diameter_min": 0.1 * factor, "estimated_diameter_max": 0.3 * factor}
            for unit, factor in (("kilometers", 1.0), ("meters", 1e3), ("miles", 0.62), ("feet", 3280.0))
        },
        "is_potentially_hazardous_asteroid": hazardous,
        "close_approach_data": [
            {
                "close_approach_date": f"2015-09-{day + 8:02d}",
                "close_approach_date_full": f"2015-Sep-{day + 8:02d} 20:28",
                "epoch_date_close_approach": 1_441_744_080_000 + day,
                "relative_velocity": {
                    "kilometers_per_second": "18.1279547773",
                    "kilometers_per_hour": "65260.6371983344",
                    "miles_per_hour": "40550.4220413761",
                },
                "miss_distance": {
                    "astronomical": ".3027478814",
                    "lunar": "117.7689258646",
                    "kilometers": "45290438.204452618",
                    "miles": "28142173.3303294084",
                },
                "orbiting_body": "Earth",
            }
            for day in range(approaches)
        ],
        "orbital_data": {
            "orbit_id": "12",
            "orbit_determination_date": "2021-04-06 08:36:37",
            "first_observation_date": "2010-01-01",
            "orbit_uncertainty": "3",
            "minimum_orbit_intersection": ".0252819" if hazardous else ".2",
            "jupiter_tisserand_invariant": "4.634",
            "epoch_osculation": "2461000.5",
            "eccentricity": f"{eccentricity}".removeprefix("0"),
            "semi_major_axis": str(semi_major_axis_au),
            "inclination": "6.025981287138329",
            "ascending_node_longitude": str(number % 360),
            "orbital_period": str(365.2568983 * semi_major_axis_au**1.5),
            "perihelion_distance": str(semi_major_axis_au * 0.7),
            "perihelion_argument": "57.25746987539545",
            "aphelion_distance": str(semi_major_axis_au * 1.3),
            "perihelion_time": "2458161.641720486318",
            "mean_anomaly": "264.8375332988031",
            "mean_motion": ".5905513880204395",
            "equinox": "J2000",
            "orbit_class": {"orbit_class_type": "APO"},
        },
        "is_sentry_object": False,
    }
    return item | changes


class FakeNeows:
    """NeoWs: browse, feed and lookup over a list of objects.

    Attributes:
        objects: the list, in its order; may be changed between requests.
        requests: the requests, in order.
        before: called with each request; a reply of its own takes the place of the usual one.
    """

    def __init__(self, n: int = 50) -> None:
        self.objects = [neo(number) for number in range(n)]
        self.requests: list[Request] = []
        self.before: Callable[[Request], Reply | None] = lambda _: None
        self.limits: dict[str, Any] = {"X-RateLimit-Limit": "1000", "X-RateLimit-Remaining": "900"}

    def answer(self, request: Request) -> Reply:
        """Answer as NeoWs does."""
        self.requests.append(request)
        reply = self.before(request)
        if reply is not None:
            return reply
        if "x-api-key" not in request.headers:
            return Reply.json({"error": {"code": "API_KEY_MISSING", "message": "No api_key."}}, status=403)
        if request.path == "/neo/browse":
            return Reply.json(self.page(int(request.query.get("page", "0"))), **self.limits)
        if request.path == "/feed":
            return self.feed(request.query["start_date"], request.query["end_date"])
        for item in self.objects:
            if request.path == f"/neo/{item['id']}":
                return Reply.json(item, **self.limits)
        return Reply.json({"code": 404, "http_error": "NOT_FOUND"}, status=404)

    def page(self, number: int, *, called: int | None = None) -> dict[str, Any]:
        """One page of the list."""
        total = len(self.objects)
        return {
            "links": {"next": "http://www.neowsapp.com/rest/v1/neo/browse?page=1&size=20&api_key=SECRET"},
            "page": {
                "size": PAGE_SIZE,
                "total_elements": total,
                "total_pages": -(-total // PAGE_SIZE),
                "number": number if called is None else called,
            },
            "near_earth_objects": self.objects[number * PAGE_SIZE : (number + 1) * PAGE_SIZE],
        }

    def feed(self, start: str, end: str) -> Reply:
        """The approaches of at most seven days."""
        if int(end[-2:]) - int(start[-2:]) > 7 and start[:7] == end[:7]:
            message = "Date Format Exception - Expected format (yyyy-mm-dd) - The Feed date limit is only 7 Days"
            return Reply.json({"code": 400, "http_error": "BAD_REQUEST", "error_message": message}, status=400)
        listed: dict[str, list[dict[str, Any]]] = {}
        for item in self.objects:
            for approach in item["close_approach_data"]:
                date = approach["close_approach_date"]
                if start <= date <= end:
                    listed.setdefault(date, []).append({**item, "close_approach_data": [approach]})
        count = sum(map(len, listed.values()))
        return Reply.json({"links": {}, "element_count": count, "near_earth_objects": listed}, **self.limits)


SBDB_FIELDS = [
    *(
        "pdes",
        "full_name",
        "H",
        "moid",
        "pha",
        "t_jup",
        "epoch",
        "e",
        "a",
        "i",
        "om",
        "w",
        "per",
        "q",
        "ad",
        "tp",
        "ma",
    ),
    *("n", "condition_code", "equinox", "soln_date", "orbit_id"),
]


def sbdb_row(number: int, **changes: Any) -> list[Any]:
    """One asteroid of the query service: texts, numbers and nulls."""
    hazardous = number % 3 == 0
    axis_au = 1.0 + number / 100
    values: dict[str, Any] = {
        "pdes": str(400 + number),
        "full_name": f"   {400 + number} Name{number} (A898 P{number})",
        "H": "20.5" if hazardous else "24.25",
        "moid": "0.0253" if hazardous else "0.2",
        "pha": "Y" if hazardous else "N",
        "t_jup": str(4.58 - number / 50),
        "epoch": "2461000.5",
        "e": f".{30 + number}",
        "a": str(axis_au),
        "i": str(10.83 + number),
        "om": str(3.5 * number),
        "w": str(5.5 * number),
        "per": str(365.2568983 * axis_au**1.5),
        "q": str(axis_au * 0.7),
        "ad": str(axis_au * 1.3),
        "tp": "2461088.83",
        "ma": "310.55",
        "n": ".5598",
        "condition_code": "0",
        "equinox": "J2000",
        "soln_date": "2026-01-01 05:38:12",
        "orbit_id": "JPL 659" if number % 2 else "12",
    }
    return [(values | changes)[name] for name in SBDB_FIELDS]


class FakeJpl:
    """The query service and the close-approach service.

    Attributes:
        rows: the asteroids.
        approaches: rows of designation, time, distance in au and velocity in km/s.
        counts_pages: whether the count of a page is that of its rows; else it is the total.
        requests: the requests, in order.
        before: called with each request; a reply of its own takes the place of the usual one.
    """

    def __init__(self, n: int = 30) -> None:
        self.rows = [sbdb_row(number) for number in range(n)]
        self.approaches = [[str(400 + number), "2029-Apr-13 21:46", ".000254", "7.42249"] for number in range(0, n, 2)]
        self.counts_pages = False
        self.requests: list[Request] = []
        self.before: Callable[[Request], Reply | None] = lambda _: None

    def answer(self, request: Request) -> Reply:
        """Answer as JPL does."""
        self.requests.append(request)
        reply = self.before(request)
        if reply is not None:
            return reply
        if request.path == "/cad.api":
            return Reply.json(self.cad())
        rows = self.rows
        if "sb-cdata" in request.query:
            designation = json.loads(request.query["sb-cdata"])["AND"][0].rpartition("|")[2]
            rows = [row for row in rows if row[0] == designation]
        if "fields" not in request.query:
            return Reply.json(self.sbdb(rows, "signature", "count"))
        if request.query["fields"].split(",") != SBDB_FIELDS:
            return Reply.json({"code": 400, "message": "one or more invalid fields"}, status=400)
        if "limit" not in request.query:
            return Reply.json(self.sbdb(rows))
        first = int(request.query.get("limit-from", "0"))
        page = self.sbdb(rows[first : first + int(request.query["limit"])])
        return Reply.json(page if self.counts_pages else {**page, "count": len(rows)})

    def sbdb(self, rows: list[list[Any]], *names: str) -> dict[str, Any]:
        """An answer of the query service, or the parts of it with these names."""
        signature = {"source": "NASA/JPL Small-Body Database (SBDB) Query API", "version": "1.0"}
        answer = {"signature": signature, "count": len(rows), "fields": SBDB_FIELDS, "data": rows}
        return {name: answer[name] for name in names or answer}

    def cad(self) -> dict[str, Any]:
        """An answer of the close-approach service, its count a text."""
        signature = {"source": "NASA/JPL SBDB Close Approach Data API", "version": "1.5"}
        if not self.approaches:
            return {"signature": signature, "count": "0"}
        fields = ["des", "cd", "dist", "v_rel"]
        return {
            "signature": signature,
            "count": str(len(self.approaches)),
            "fields": fields,
            "data": self.approaches,
        }
