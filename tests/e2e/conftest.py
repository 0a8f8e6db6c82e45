from __future__ import annotations

import base64
import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PATIENCE_S = 120
# Chrome reads the debugger's messages from descriptor 3 and answers on 4; both ends are moved out of the way first.
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Page:
    """One page of a headless browser, driven over Chrome's debugging pipe: JSON messages that end in a zero byte."""

    def __init__(self, requests: Any, answers: Any) -> None:
        self._requests = requests
        self._answers = answers
        self._number = 0
        self._session: str | None = None
        self.events: list[dict[str, Any]] = []
        self.shown: tuple[object, ...] = ()

    def call(self, method: str, **params: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        self._requests.write(json.dumps(message).encode() + b"\0")
        self._requests.flush()
        while (answer := self._read()).get("id") != self._number:
            self.events.append(answer)
        assert "error" not in answer, f"{method}: {answer['error']}"
        result: dict[str, Any] = answer["result"]
        return result

    def wait_for(self, method: str) -> None:
        while not any(event.get("method") == method for event in self.events):
            self.events.append(self._read())

    def _read(self) -> dict[str, Any]:
        message = bytearray()
        while not message.endswith(b"\0"):
            byte = self._answers.read(1)
            assert byte, "the browser has gone"
            message += byte
        parsed: dict[str, Any] = json.loads(message[:-1])
        return parsed

    def attach(self) -> None:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def show(self, path: Path, *, scheme: str, media: str = "screen", width: int = 1280) -> None:
        """Load a file and wait until it is drawn; what happens on the way is in ``events``."""
        self.events.clear()
        self.shown = (path, scheme, media, width)
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.call("Emulation.setEmulatedMedia", media=media, features=[feature])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
        self.call("Page.navigate", url=path.as_uri())
        self.wait_for("Page.loadEventFired")

    def evaluate(self, expression: str) -> Any:
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def screenshot(self) -> bytes:
        return base64.b64decode(self.call("Page.captureScreenshot", captureBeyondViewport=True)["data"])

    def complaints(self) -> list[dict[str, Any]]:
        """The events that the browser's console shows."""
        kinds = ("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
        return [event for event in self.events if event.get("method") in kinds]

    def requested(self) -> list[str]:
        """The addresses that the page requested."""
        sent = [event for event in self.events if event.get("method") == "Network.requestWillBeSent"]
        return [event["params"]["request"]["url"] for event in sent]


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory, report: Path) -> Iterator[Page]:
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    if executable is None:
        pytest.skip(f"No browser is installed: none of {', '.join(NAMES)} is on the path.")
    to_browser, ours_out = os.pipe()
    ours_in, from_browser = os.pipe()
    flags = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-dev-shm-usage",
        "--disable-background-networking",
        "--no-first-run",
        f"--user-data-dir={tmp_path_factory.mktemp('browser')}",
        "--remote-debugging-pipe",
    ]
    command = [sys.executable, "-c", LAUNCH, str(to_browser), str(from_browser), executable, *flags]
    with os.fdopen(ours_out, "wb") as requests, os.fdopen(ours_in, "rb", buffering=0) as answers:
        process = subprocess.Popen(
            command,
            pass_fds=(to_browser, from_browser),
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(to_browser)
        os.close(from_browser)
        watchdog = threading.Timer(PATIENCE_S, lambda: os.killpg(process.pid, signal.SIGKILL))
        watchdog.start()
        try:
            page = Page(requests, answers)
            page.attach()
            yield page
        finally:
            watchdog.cancel()
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def desk(browser: Page, report: Path) -> Page:
    """The browser with the report on a wide light screen, as an earlier test may have left it."""
    if browser.shown != (report, "light", "screen", 1200):
        browser.show(report, scheme="light", width=1200)
    return browser


@pytest.fixture(scope="session")
def comparison(report: Path) -> Path:
    """The page of two runs side by side; the second has the predictions of another model."""
    first = report.parents[1]
    second = shutil.copytree(first, first.parent / "second")
    predictions = second / "predict" / "predictions.csv"
    lines = predictions.read_text("utf-8").splitlines()
    lines[1:400] = [f"{line.removesuffix(',True')},False" if line.endswith(",True") else line for line in lines[1:400]]
    predictions.write_text("\r\n".join(lines), "utf-8")
    page = first.parent / "page.html"
    command = [sys.executable, "-m", "asteroid_ll", "runs", "diff", str(first), str(second), "-o", str(page)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return page


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a run of the whole pipeline in a process of its own."""
    folder = tmp_path_factory.mktemp("run")
    command = [sys.executable, "-m", "asteroid_ll", "run-all", "--workdir", str(folder / "run")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return folder / "run" / "report" / "report.html"
