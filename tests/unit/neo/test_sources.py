import hashlib
import http.server
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from asteroid_ll.config.models import SourceSettings
from asteroid_ll.errors import AwsError, ConfigError, DataError
from asteroid_ll.neo.sources import SOURCES, open_source
from asteroid_ll.neo.sources.base import Web
from asteroid_ll.neo.sources.catalogue import provenance

AT_ONCE = Web(sleep=lambda _: None)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one body in the ways a server can get it wrong."""

    body = b""

    def do_GET(self) -> None:
        how = self.path.partition("?")[0]
        if how == "/missing":
            self.send_error(404, "Not Found")
            return
        body = b"<html>Sign in</html>" if how == "/login" else b"" if how == "/empty" else self.body
        self.send_response(200)
        if how != "/no-length":
            self.send_header("Content-Length", str(len(body) + (1_000 if how == "/cut" else 0)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's own name
        """Stay silent."""


@pytest.fixture
def address(export_file: Path) -> Iterator[str]:
    """A loopback server that serves the export."""
    handler = type("ExportHandler", (Handler,), {"body": export_file.read_bytes()})
    with http.server.HTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def earlier(tmp_path: Path) -> Path:
    """The raw file of an earlier fetch."""
    path = tmp_path / "run" / "asteroids.csv"
    path.parent.mkdir()
    path.write_text("earlier")
    return path


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_the_catalogue_is_copied_as_released(tmp_path: Path) -> None:
    source = open_source("catalogue")
    raw = tmp_path / "deep" / "er" / source.spec.file_name
    fetched = source.fetch(raw)
    assert hashlib.sha256(raw.read_bytes()).hexdigest() == fetched["sha256"] == provenance()["output_sha256"]
    assert fetched["n_bytes"] == raw.stat().st_size
    assert "Minor Planet Center" in fetched["credit"]
    assert left_in(raw.parent) == [source.spec.file_name]


@pytest.mark.parametrize("spelling", ["path", "file-url", "http", "http-without-length"])
def test_a_file_is_fetched_byte_for_byte_from_anywhere(
    export_file: Path, earlier: Path, address: str, spelling: str
) -> None:
    location = {
        "path": str(export_file),
        "file-url": export_file.as_uri(),
        "http": f"{address}/nasa.csv",
        "http-without-length": f"{address}/no-length",
    }[spelling]
    source = open_source("csv", location=location)
    fetched = source.fetch(earlier)
    assert earlier.read_bytes() == export_file.read_bytes()
    assert fetched["location"] == location
    assert fetched["sha256"] == hashlib.sha256(export_file.read_bytes()).hexdigest()
    assert len(source.read(earlier).table) == 60


def test_an_unknown_scheme_is_left_to_the_given_callable(export_file: Path, earlier: Path) -> None:
    asked = []

    def download(url: str, path: Path) -> None:
        asked.append(url)
        path.write_bytes(export_file.read_bytes())

    open_source("csv", location="s3://bucket/nasa.csv", web=Web(download_other=download)).fetch(earlier)
    assert asked == ["s3://bucket/nasa.csv"]
    assert earlier.read_bytes() == export_file.read_bytes()


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("/cut", "was cut"),
        ("/empty", "is empty"),
        ("/login", "is a web page"),
        ("/missing", "answered 404 Not Found"),
    ],
)
def test_a_download_that_fails_leaves_the_earlier_file_and_nothing_else(
    earlier: Path, address: str, path: str, says: str
) -> None:
    with pytest.raises(DataError, match=says):
        open_source("csv", location=address + path, web=AT_ONCE).fetch(earlier)
    assert earlier.read_text() == "earlier"
    assert left_in(earlier.parent) == ["asteroids.csv"]


def test_a_server_that_does_not_answer_is_a_data_error(earlier: Path) -> None:
    with pytest.raises(DataError, match="failed after 0 bytes"):
        open_source("csv", location="http://127.0.0.1:1/nasa.csv", web=AT_ONCE).fetch(earlier)
    assert earlier.read_text() == "earlier"


def test_another_digest_is_refused(export_file: Path, earlier: Path) -> None:
    with pytest.raises(DataError, match=r"has the SHA-256 digest \w{64}, expected 0{64}"):
        open_source("csv", location=str(export_file), web=AT_ONCE).fetch(earlier, sha256="0" * 64)
    assert earlier.read_text() == "earlier"


def test_a_missing_local_file_is_refused(earlier: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv cannot be read: No such file"):
        open_source("csv", location=str(earlier.parent / "none.csv"), web=AT_ONCE).fetch(earlier)
    assert left_in(earlier.parent) == ["asteroids.csv"]


def test_an_error_of_the_callable_passes_and_leaves_the_earlier_file(earlier: Path) -> None:
    def refuse(url: str, path: Path) -> None:
        path.write_text("half")
        raise AwsError(f"{url}: access denied.")

    with pytest.raises(AwsError, match="access denied"):
        open_source("csv", location="s3://bucket/nasa.csv", web=Web(download_other=refuse)).fetch(earlier)
    assert earlier.read_text() == "earlier"
    assert left_in(earlier.parent) == ["asteroids.csv"]


def test_secrets_of_an_address_are_not_shown(address: str, earlier: Path) -> None:
    location = f"{address}/nasa.csv?X-Amz-Signature=secret#part"
    assert open_source("csv", location=location, web=AT_ONCE).fetch(earlier)["location"] == f"{address}/nasa.csv"
    with pytest.raises(DataError) as raised:
        open_source("csv", location="http://user:secret@127.0.0.1:1/nasa.csv?key=secret", web=AT_ONCE).fetch(earlier)
    assert "secret" not in str(raised.value)


def test_a_scheme_that_nothing_can_download_is_a_configuration_error(earlier: Path) -> None:
    with pytest.raises(ConfigError, match="ftp:// URLs cannot be downloaded"):
        open_source("csv", location="ftp://host/nasa.csv", web=AT_ONCE).fetch(earlier)


def test_every_source_has_a_class_that_takes_its_options() -> None:
    for kind, spec in SOURCES.items():
        source = open_source(kind, **dict.fromkeys(spec.options, "x"))
        assert (source.spec, source.title) == (spec, spec.title)
        assert set(spec.required) <= spec.options.keys()


def test_every_option_of_a_source_is_a_key_of_the_configuration() -> None:
    options = {option for spec in SOURCES.values() for option in spec.options}
    assert options | {"kind", "sha256"} == set(SourceSettings.model_fields)


def test_the_configuration_loads_no_module_of_a_source() -> None:
    program = "import sys, asteroid_ll.config; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout.split()
    assert not {"numpy", "pandas", "urllib3", "asteroid_ll.neo.sources.csv"} & set(loaded)
