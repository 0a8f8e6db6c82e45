"""Folders to run the command line in, and what must hold in each of them whatever was done."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from asteroid_ll.aws.jobs import wait_for_training_job
from asteroid_ll.aws.session import connect
from asteroid_ll.emulator.app import Emulator
from asteroid_ll.emulator.ledger import Interval

T = TypeVar("T")

EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"
"""Every case in place of a sample."""

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
BUCKET = f"asteroid-ll-{ACCOUNT_ID}-{REGION}"
PREFIX = "asteroid-ll/"

CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0001",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-never-to-be-seen",
    "AWS_SESSION_TOKEN": "canary-token-never-to-be-seen",
    "NASA_API_KEY": "canary-nasa-key-never-to-be-seen",
}
"""Secrets in the environment of every command; none of them may turn up in a file or on a stream."""

CONFIG = """\
source: {kind: csv, location: asteroids.csv}
features: {n_knots: 8}
hyperparameters: {predictor_type: binary_classifier, epochs: 2, mini_batch_size: 50, num_models: 4}
report: {figures: false, html: false}
"""

LIMIT_S = 60
"""A process that lives longer hangs, and is killed."""

COMMAND = (sys.executable, "-m", "asteroid_ll")


def environment(**more: str) -> dict[str, str]:
    """A command's environment: nothing of this machine's user, and the canaries."""
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    return {**plain, **CANARIES, **more}


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code (minus the signal where one killed it), stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found

    def status_of(self, stage: str) -> str:
        """What became of a stage, by the JSON object."""
        return next(str(item["status"]) for item in self.json["stages"] if item["name"] == stage)


class Zygote:
    """Starts commands by forking one warm process, see ``zygote.py``."""

    def __init__(self, scratch: Path) -> None:
        self._out, self._err = scratch / "out", scratch / "err"
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def run(
        self,
        folder: Path,
        arguments: Sequence[str],
        *,
        more_environment: Mapping[str, str],
        hooks: Mapping[str, object],
    ) -> Ended:
        """Run one command to its end, with hooks by the names that ``zygote.py`` knows."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        order = {
            "folder": str(folder),
            "arguments": list(arguments),
            "environment": environment(**more_environment),
            "hooks": dict(hooks),
            "out": str(self._out),
            "err": str(self._err),
        }
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return Ended(answer["code"], self._out.read_text("utf-8"), self._err.read_text("utf-8"))

    def close(self) -> None:
        """Let the process go."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()


class Place:
    """A folder with a configuration and a small table, in which commands run.

    Args:
        folder: the folder; ``asteroids.csv`` and ``small.yaml`` are in it.
        zygote: what starts commands.

    Attributes:
        ahead_s: how far the clock is ahead from which the emulated account is looked at.
    """

    def __init__(self, folder: Path, zygote: Zygote) -> None:
        self.folder = folder
        self.workdir = folder / "asteroid-run"
        self.state = self.workdir / "emulator"
        self.ahead_s = 0.0
        self._zygote = zygote
        self._clean = False

    def run(
        self,
        *arguments: str,
        config: str | None = "small.yaml",
        faults: str = "",
        **more: Any,
    ) -> Ended:
        """Run one command line to its end.

        Args:
            arguments: the command line.
            config: appended as ``--config``; None appends nothing.
            faults: as ``ASTEROID_LL_FAULTS`` takes them.
            more: by a name in capitals a further variable of the environment; by another name a hook:
                ``calls``, a file that gets every request to AWS;
                ``kill_at_record``, number of the journal's record from the start of this command, and ``before`` or
                ``after``;
                ``interrupt_before``, a stage before which the command gets SIGINT;
                ``pause_before``, see `Pause`;
                ``limits``, values by names such as ``RLIMIT_NOFILE``;
                ``jump``, a number of records after which the clock is set, and by how many seconds;
                ``disk``, arguments of ``os_layer.OsLayer``.
        """
        more_environment = {name: value for name, value in more.items() if name.isupper()}
        hooks = {name: value for name, value in more.items() if not name.isupper()}
        if faults:
            more_environment["ASTEROID_LL_FAULTS"] = faults
        line = [*arguments, *(() if config is None else ("-c", config))]
        ended = self._zygote.run(
            self.folder,
            line,
            more_environment=more_environment,
            hooks={name: str(wanted) if isinstance(wanted, Path) else wanted for name, wanted in hooks.items()},
        )
        ends_clean = arguments[0] in ("run-all", "teardown") and not {"--keep", "--dry-run"} & set(arguments)
        self._clean = ended.code == 0 and ends_clean
        assert not _canaries_in(ended.out + ended.err), f"a secret is on a stream of {arguments}"
        return ended

    def start(self, *arguments: str, config: str | None = "small.yaml", **options: Any) -> subprocess.Popen[str]:
        """Start a command line as a process of its own, in a session of its own."""
        line = [*COMMAND, *arguments, *(() if config is None else ("-c", config))]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self._clean = False
        process = subprocess.Popen(
            line,
            cwd=self.folder,
            **{"env": environment(), "text": True, "start_new_session": True, **streams, **options},
        )
        watchdog = threading.Timer(LIMIT_S, process.kill)
        watchdog.daemon = True
        watchdog.start()
        return process

    def edit(self, old: str, new: str, *, file: str = "small.yaml") -> None:
        """Replace a text in a file of the folder."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def bytes_of(self, relative: str) -> bytes:
        """The content of a file in the run directory."""
        return (self.workdir / relative).read_bytes()

    def outputs(self) -> dict[str, bytes]:
        """Every file of the run directory that a stage wrote, by its path."""
        return {
            str(path.relative_to(self.workdir)): path.read_bytes()
            for path in sorted(self.workdir.rglob("*"))
            if path.is_file() and self.state not in path.parents and path.name not in ("lock", "journal.jsonl")
        }

    def metrics(self) -> dict[str, Any]:
        """The metrics that the predict stage wrote."""
        found = json.loads(self.bytes_of("predict/metrics.json"))["metrics"]
        assert isinstance(found, dict)
        return found

    @contextmanager
    def emulator(self) -> Iterator[Emulator]:
        """The folder's emulated account."""
        emulator = Emulator(self.state, clock=lambda: time.time() + self.ahead_s)
        try:
            yield emulator
        finally:
            emulator.close()

    def open_intervals(self) -> list[Interval]:
        """What the emulated account bills at this moment."""
        with self.emulator() as emulator:
            return emulator.open_intervals()

    def configure(self, **changes: Any) -> None:
        """Change settings of the emulated account, such as ``training_starting_s``."""
        with self.emulator() as emulator:
            emulator.configure(**changes)

    def status_of(self, kind: str, name: str) -> str:
        """A resource's status, empty where there is none of that name."""
        with self.emulator() as emulator:
            emulator.settle()
            return next((found.status for found in emulator.services.resources.find(kind) if found.name == name), "")

    def worker_pid(self) -> int:
        """The process of the one training job, once it has announced itself."""
        while True:
            with self.emulator() as emulator:
                (job,) = emulator.services.resources.find("training-job")
            if "worker" in job.body:
                return int(job.body["worker"]["pid"])
            os.sched_yield()

    def wait_for_job(self, name: str) -> None:
        """Wait until a training job has completed."""
        with connect("emulator", region=REGION, emulator_dir=self.state) as aws:
            wait_for_training_job(aws, name)

    def names(self, kind: str) -> list[str]:
        """Names of all resources of a kind, such as ``training-job``."""
        with self.emulator() as emulator:
            return [found.name for found in emulator.services.resources.find(kind)]

    def processes(self) -> list[str]:
        """Command lines of the processes that have to do with this folder."""
        found = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(self.folder) in line:
                found.append(line)
        return found

    def check(self) -> None:
        """What must hold whatever was done: one job a fingerprint, no stray object, no secret, no bill in the end."""
        leaked = [str(path) for path in self.folder.rglob("*") if path.is_file() and _canaries_in(path.read_bytes())]
        assert not leaked, "a secret is in a file"
        if not (self.state / "state.sqlite3").exists():
            return
        with self.emulator() as emulator:
            resources = emulator.services.resources
            jobs = [job for job in resources.find("training-job") if job.status not in ("Failed", "Stopped")]
            tags = [resources.tags(job.arn) for job in jobs]
            objects = [
                f"{bucket.name}/{item.key}"
                for bucket in emulator.store.buckets()
                for item in emulator.store.list(bucket.name)
            ]
            still_open = emulator.open_intervals()
        fingerprints = Counter(tag.get("asteroid-ll:fingerprint", "") for tag in tags)
        fingerprints.pop("", None)
        assert all(count == 1 for count in fingerprints.values()), f"two jobs of one fingerprint: {fingerprints}"
        assert all(name.startswith(f"{BUCKET}/{PREFIX}") for name in objects), f"stray objects: {objects}"
        assert not (self._clean and still_open), f"still billed: {still_open}"


def write_place(folder: Path) -> None:
    """Write the small configuration and the small table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.yaml").write_text(CONFIG, "utf-8")
    (folder / "asteroids.csv").write_text(small_table(), "utf-8")


def with_other_rows(place: Place, folder: Path, zygote: Zygote) -> Place:
    """A copy of a finished place whose source has changed, so that a run replaces every output."""
    copy = copy_of(place, folder, zygote)
    (folder / "asteroids.csv").write_text(small_table(seed=8), "utf-8")
    return copy


def disk_points(place: Place, file: Path) -> list[str]:
    """Run everything in a place and give back every write, sync and rename, as ``os_layer.py`` names them."""
    ended = place.run("run-all", disk={"record": str(file)})
    assert ended.code == 0, ended.err
    return file.read_text("utf-8").splitlines()


def shares(items: Sequence[T], share: int, *, n_shares: int) -> Sequence[T]:
    """One of equal shares of a sequence: all of it where ``EXHAUSTIVE`` is set, else its middle item."""
    part = items[share * len(items) // n_shares : (share + 1) * len(items) // n_shares]
    return part if EXHAUSTIVE else part[len(part) // 2 :][:1]


def assert_finishes_like(place: Place, undisturbed: Place, *, after: str) -> None:
    """The next run ends well: the same metrics and files, no temporary file, nothing billed, one job."""
    again = place.run("run-all", "--json")
    assert again.code == 0, (after, again.err)
    assert again.json["billing"] == {"open": []}, after
    assert place.metrics() == undisturbed.metrics(), after
    assert set(place.outputs()) == set(undisturbed.outputs()), after
    assert place.bytes_of("predict/predictions.csv") == undisturbed.bytes_of("predict/predictions.csv"), after
    assert place.open_intervals() == [], after
    assert place.names("training-job") == undisturbed.names("training-job"), after


def assert_one_sentence(ended: Ended) -> None:
    """A failure is told in one line with the next command, and is no bug."""
    error = ended.json["error"]
    assert error["what"].endswith(".") or ":" in error["what"]
    assert "\n" not in error["what"]
    assert error["hint"]
    assert error["exit_code"] == ended.code
    assert "Traceback" not in ended.err


def small_table(*, n_rows: int = 600, seed: int = 7) -> str:
    """A table of made-up asteroids as CSV, a quarter of them hazardous, with about 400 identities."""
    generator = np.random.default_rng(seed)
    h = generator.uniform(16.0, 27.0, n_rows)
    moid = generator.uniform(0.0005, 0.12, n_rows)
    identity = generator.integers(2_000_000, 2_000_400, n_rows)
    hazardous = (h <= 22.0) & (moid <= 0.05)
    lines = ["asteroid_id,name,absolute_magnitude_mag,moid_au,hazardous"]
    lines += [f"{i},A{i},{m:.2f},{d:.6f},{label}" for i, m, d, label in zip(identity, h, moid, hazardous, strict=True)]
    return "\n".join(lines) + "\n"


def copy_of(place: Place, folder: Path, zygote: Zygote) -> Place:
    """The same place in another folder."""
    shutil.copytree(place.folder, folder)
    return Place(folder, zygote)


def _canaries_in(content: str | bytes) -> list[str]:
    text = content if isinstance(content, bytes) else content.encode()
    return [name for name, value in CANARIES.items() if value.encode() in text]
