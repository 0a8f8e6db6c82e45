"""Secrets in the configuration: they reach the source's server, and no file and no stream."""

from __future__ import annotations

import json
import stat
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

QUERY = "api_key=canary1&X-Amz-Signature=canary2&X-Amz-Credential=canary3&token=canary4&sig=canary5&year=2016"


@contextmanager
def _serving(body):
    """Serve a file at every path; yield the address without its scheme, and the paths that were requested."""
    paths = []

    class Site(BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(200 if self.path.startswith("/a.csv") else 404)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}", paths
        finally:
            server.shutdown()
            thread.join()


def _files_with(place, text):
    return [str(path) for path in place.workdir.rglob("*") if path.is_file() and text in path.read_bytes()]


def test_secrets_of_an_address_are_in_no_file_and_on_no_stream(place):
    place.edit("report: {figures: false, html: false}", "report: {figures: false}")
    with _serving((place.folder / "asteroids.csv").read_bytes()) as (host, paths):
        location = f"http://canary0:canary@{host}/a.csv?{QUERY}"
        place.edit("location: asteroids.csv", f"location: '{location}'")
        everything = place.run("run-all", "--json")
        assert everything.code == 0, everything.err
        assert paths == [f"/a.csv?{QUERY}"]
        renewed = ("--set", f"source.location={location.replace('canary', 'canary-renewed-')}")
        planned = place.run("plan", "--json", *renewed)
        missing = place.run("fetch", "--force", "--set", f"source.location={location.replace('/a.csv', '/b.csv')}")
    assert missing.code == 3
    assert f"http://{host}/b.csv answered 404" in missing.err
    wrong = place.run("plan", "--set", f"source.kind={location}")
    assert wrong.code == 2
    others = [
        place.run(*command.split()) for command in ("config show", "config show --json", "status --json", "report")
    ]
    assert {ended.code for ended in others} == {0}
    for ended in (everything, planned, missing, wrong, *others):
        assert "canary" not in ended.out + ended.err
    assert _files_with(place, b"canary") == []
    shown = f"http://[removed]@{host}/a.csv?api_key=[removed]&X-Amz-Signature=[removed]"
    assert json.loads(place.bytes_of("report/report.json"))["configuration"]["source"]["location"].startswith(shown)
    for name in ("journal.jsonl", "fetch/provenance.json", "report/report.json", "report/report.html"):
        assert stat.S_IMODE((place.workdir / name).stat().st_mode) == 0o600
    assert {stage["reason"] for stage in planned.json["stages"]} == {
        "up to date",
        "nothing needs it",
        "nothing is open",
    }


def test_an_address_that_has_lost_its_secrets_is_not_requested(place):
    ended = place.run("fetch", "--set", "source.location=https://[removed]@host/a.csv?token=[removed]")
    assert ended.code == 2
    assert "source.location has lost its secrets" in ended.err
