"""Type every command of README and docs into a fresh shell of somebody who has installed the wheel with pip.

Usage: scripts/docs-check [PAGE ...], such as: scripts/docs-check README.md docs/predict.md

It builds the wheel, installs it into a new environment in .docs-check/, and goes through each page twice, in an empty
folder: in a pipe, where it compares the output of ``console`` blocks with the page, and in a terminal of 80 columns,
where no line of asteroid-ll's own text may be wider. Each command of a ``console`` block and each line of a ``sh``
block gets a shell of its own, so nothing may depend on an activated environment. Commands that cannot run are listed
with the reason. It needs a network for pip.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import pty
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".docs-check"
WIDTH = 80
LIMIT_S = 600
IN_A_CLONE = ("README.md", "docs/install.md")
"""Pages for a reader whose shell is in a clone."""

ACCOUNT = "an AWS account; tests/docs/test_aws_page.py runs the page on an emulated one"
CONTAINER = "a container engine"
NOT_HERE = (
    ("README.md", r"asteroid-ll (iam setup|doctor|run-all) .*(--dry-run|on-aws)", ACCOUNT),
    ("README.md", r"scripts/test$", "minutes: it is the whole suite, which CI runs"),
    ("README.md", r".*report --open", "a browser"),
    ("docs/aws.md", r"(?!\$).*", ACCOUNT),
    ("docs/configuration.md", r"scripts/rubin|.*rubin\.csv", "minutes: it is five million rows"),
    ("docs/container.md", r"docker |curl |kubectl |aws |tar xzf", CONTAINER),
    ("docs/emulator.md", r"moto_server|.*--s3-endpoint", "moto server; scripts/interop emulators runs it"),
    ("docs/emulator-recipes.md", r"aws |seq |status|while |npm ", "other programs; scripts/interop runs the recipes"),
    ("docs/nasa-data.md", r".*", "api.nasa.gov; tests/docs/test_how_to.py runs it in front of a fake NeoWs"),
    ("docs/reliability.md", r".*", "minutes to hours: CI runs it every night"),
    ("docs/scale.md", r"spark-submit ", "Spark; scripts/interop spark runs the recipe"),
    ("docs/testing.md", r".*", "a project with tests; tests/docs/test_how_to.py makes one"),
)
"""Page, regular expression of commands, and what they need."""

BEFORE = (
    ("README.md", r".*(scripts/demo|run-all)$", "rm -rf asteroid-run"),  # each is another reader's first command
)
"""Page, regular expression of commands, and what the reader does before them."""

PROGRAMS = ("fish", "pipx", "uvx", "zsh")
OTHER_TEXT = re.compile(r"--json|--template|--format (csv|jsonl)|emulator serve|iam |completion|config (show|schema)")
"""Options of commands whose output is data in lines of any length."""

PASTED = re.compile(r"asteroid-ll|aws |https?://|\S{40}")
"""Lines that may be wider: a command or a name that a person pastes is never cut."""


NETWORK = re.compile(r"(PIP|SSL|UV)_|(CURL|REQUESTS)_CA_BUNDLE$|(all|https?|no)_proxy$", re.IGNORECASE)
"""Variables that this machine needs to reach its package index."""


def _replaying() -> Any:
    spec = importlib.util.spec_from_file_location("replaying", ROOT / "tests" / "docs" / "replaying.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["replaying"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


replaying = _replaying()


@dataclass(frozen=True)
class Command:
    """One command of a page; ``replay`` has the output that the page shows, None for a line of a ``sh`` block."""

    text: str
    replay: Any = None


class Reader:
    """A person with the wheel, a folder and a shell.

    Args:
        folder: the current folder.
        home: the home directory.
        width: columns of the terminal; None for a pipe.
    """

    def __init__(self, folder: Path, home: Path, *, width: int | None) -> None:
        self.folder = folder
        self.width = width
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._environment = {
            "HOME": str(home),
            "LANG": "C.UTF-8",
            "PATH": f"{ENVIRONMENT / 'bin'}{os.pathsep}{os.environ['PATH']}",
            "TERM": "xterm",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "COLUMNS": str(WIDTH),
        }
        self._environment |= {name: value for name, value in os.environ.items() if NETWORK.match(name)}
        for variable, path in (
            ("PIP_CACHE_DIR", ".cache/pip"),
            ("PIP_CONFIG_FILE", ".config/pip/pip.conf"),
            ("UV_CACHE_DIR", ".cache/uv"),
        ):
            if (Path.home() / path).exists():
                self._environment.setdefault(variable, str(Path.home() / path))

    def type(self, command: str) -> Any:
        """Run a command in a fresh shell, and return what it printed."""
        if "emulator serve" in command:
            return self._serve(command)
        return self._in_terminal(command) if self.width else self._in_pipe(command)

    def close(self) -> None:
        """Stop the servers of the page."""
        for port in list(self._servers):
            self._stop(port)

    def _stop(self, port: str) -> None:
        server = self._servers.pop(port)
        server.terminate()
        server.wait(timeout=30)

    def _start(self, command: str, **streams: Any) -> subprocess.Popen[bytes]:
        shell = ["bash", "--noprofile", "--norc", "-c", command]
        return subprocess.Popen(shell, cwd=self.folder, env=self._environment, **streams)

    def _in_pipe(self, command: str) -> Any:
        process = self._start(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        text = process.communicate(timeout=LIMIT_S)[0].decode()
        return replaying.Printed(text.replace(f"{self.folder}/", ""), process.returncode)

    def _in_terminal(self, command: str) -> Any:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.width or WIDTH, 0, 0))
        process = self._start(command, stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        pieces = []
        while True:
            try:
                piece = os.read(ours, 1 << 16)
            except OSError:  # the last writer has closed the terminal
                break
            if not piece:
                break
            pieces.append(piece)
        os.close(ours)
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", b"".join(pieces).decode())
        lines = [line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n")]
        return replaying.Printed("\n".join(lines), process.wait(timeout=LIMIT_S))

    def _serve(self, command: str) -> Any:
        """Start a server that stays until the end of the page or another one on its port, and wait for its address."""
        port = (re.findall(r"--port (\d+)", command) or ["the default"])[0]
        if port in self._servers:
            self._stop(port)
        output = self.folder / f".server-{port}"
        with output.open("wb") as stream:
            server = self._start(f"exec {command}", stdin=subprocess.DEVNULL, stdout=stream, stderr=stream)
        self._servers[port] = server
        deadline_s = time.monotonic() + 60
        while "AWS_ENDPOINT_URL" not in output.read_text() and server.poll() is None and time.monotonic() < deadline_s:
            time.sleep(0.1)
        text = output.read_text()
        return replaying.Printed(text, 0 if "AWS_ENDPOINT_URL" in text else server.poll() or 1)


def commands_of(page: str) -> Iterator[Command]:
    """Yield a page's commands in their order: those of ``console`` blocks, and the lines of ``sh`` blocks."""
    text = (ROOT / page).read_text(encoding="utf-8")
    replays = iter(replaying.Documents().replays(page))
    for language, block in re.findall(r"^```(console|sh)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
        if language == "console":
            for _ in re.findall(r"^\$ ", block, re.MULTILINE):
                replay = next(replays)
                yield Command(replay.command, replay)
            continue
        whole = re.sub(r"\s+# .*", "", block)
        if re.search(r"^export |\(\) \{", whole, re.MULTILINE):  # its lines belong together
            yield Command(whole.strip())
        else:
            yield from (Command(line) for line in re.sub(r"\\\n\s*", "", whole).splitlines() if line.strip())


def reason_against(page: str, command: Command) -> str:
    """Return what a command needs that is not here; empty if it can run."""
    for name, pattern, needs in NOT_HERE:
        if name == page and re.match(pattern, command.text) and not (page == "docs/aws.md" and command.replay):
            return needs
    words = re.findall(r"[\w-]+", command.text)
    return next(
        (f"{name}, which is not installed" for name in PROGRAMS if name in words and not shutil.which(name)), ""
    )


def problem_of(reader: Reader, command: Command, printed: Any) -> str:
    """Return what is wrong with a command's output; empty if nothing is."""
    expects_failure = command.replay is not None and "Error:" in command.replay.expected
    if (printed.code != 0) != expects_failure:
        return f"exit code {printed.code}"
    if "command not found" in printed.text:
        return "command not found"
    if reader.width is None:
        agrees = command.replay is None or replaying.Documents().agrees(printed, command.replay)
        return "" if agrees else "the page shows another output"
    last = command.text.rpartition("|")[2]
    if "asteroid-ll" not in last or OTHER_TEXT.search(command.text):
        return ""
    wide = [line for line in printed.text.splitlines() if len(line) > reader.width and not PASTED.search(line)]
    return f"wider than {reader.width} columns: {wide[0]}" if wide else ""


def prepare() -> None:
    """Build the wheel and install it into a new environment, with the extras that the pages use."""
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    subprocess.run([os.environ.get("PYTHON", sys.executable), "-m", "venv", str(ENVIRONMENT)], check=True)
    pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", str(ENVIRONMENT / "wheel"), str(ROOT)], check=True)
    (wheel,) = (ENVIRONMENT / "wheel").iterdir()
    subprocess.run([*pip, "install", f"{wheel}[parquet,sklearn]"], check=True)


def clone_into(folder: Path) -> None:
    """Copy the files that git knows."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
    for name in filter(None, names.split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def check(page: str, *, width: int | None, finished: Path, left_out: dict[str, str]) -> list[str]:
    """Type a page's commands, and return one line for each problem."""
    text = (ROOT / page).read_text(encoding="utf-8")
    problems = []
    with tempfile.TemporaryDirectory(prefix="docs-check-") as temporary:
        home, folder = Path(temporary) / "home", Path(temporary) / "folder"
        home.mkdir()
        folder.mkdir()
        if page in IN_A_CLONE:
            clone_into(folder)
        elif "<!-- Replayed in a folder after: asteroid-ll run-all -->" in text:
            shutil.copytree(finished / "asteroid-run", folder / "asteroid-run")
        reader = Reader(folder, home, width=width)
        try:
            for command in commands_of(page):
                shown = command.text.replace("\n", "; ")
                needs = reason_against(page, command)
                if needs:
                    left_out[f"{page}: {shown}"] = needs
                    continue
                for name, pattern, first in BEFORE:
                    if name == page and re.match(pattern, command.text):
                        subprocess.run(["sh", "-c", first], cwd=folder, check=True)
                printed = reader.type(command.text)
                problem = problem_of(reader, command, printed)
                print(f"  {'FAILED' if problem else 'ok':6}  {shown[:110]}", flush=True)
                if problem:
                    problems.append(f"{page}: {shown}\n  {problem}\n{printed.text}")
        finally:
            reader.close()
    return problems


def main(pages: list[str]) -> int:
    """Check the pages, print what failed and what was left out, and return 1 if anything failed."""
    pages = pages or ["README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))]
    prepare()
    left_out: dict[str, str] = {}
    problems: list[str] = []
    with tempfile.TemporaryDirectory(prefix="docs-check-") as temporary:
        finished = Path(temporary)
        first = Reader(finished, finished, width=None).type("asteroid-ll run-all")
        if first.code:
            print(first.text)
            return 1
        for page in pages:
            if not any(True for _ in commands_of(page)):
                continue
            for width, name in ((None, "a pipe"), (WIDTH, f"a terminal of {WIDTH} columns")):
                print(f"{page} in {name}", flush=True)
                problems += check(page, width=width, finished=finished, left_out=left_out)
    print(f"\nLeft out, {len(left_out)} commands, because they need:")
    for shown, needs in left_out.items():
        print(f"  {shown}\n      {needs}")
    print(f"\n{len(problems)} problems\n" + "\n".join(problems))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
