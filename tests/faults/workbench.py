"""Folders in which tests run the command line, and the checks that every one of them must pass."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
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

from asteroid_ll import Emulator
from asteroid_ll.aws import resources
from asteroid_ll.aws.policy import Scope, role_policy, trust_policy
from asteroid_ll.aws.session import connect
from asteroid_ll.aws.waiting import poll
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.ledger import BilledInterval, open_intervals

T = TypeVar("T")

EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"
"""Every case in place of a sample."""

ACCOUNT_ID = "000000000000"
REGION = "us-east-1"
BUCKET = f"sagemaker-{REGION}-{ACCOUNT_ID}-asteroid-ll"
PREFIX = "asteroid-ll/"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll"

CANARIES = {
    "AWS_ACCESS_KEY_ID": "AKIACANARYCANARY0001",
    "AWS_SECRET_ACCESS_KEY": "canary-secret-never-to-be-seen",
    "AWS_SESSION_TOKEN": "canary-token-never-to-be-seen",
    "NASA_API_KEY": "canary-nasa-key-never-to-be-seen",
}
"""Secrets in the environment of every command, which must not appear in a file or on a stream."""

CONFIG = """\
source: {kind: csv, location: asteroids.csv}
features: {n_knots: 8}
hyperparameters: {predictor_type: binary_classifier, epochs: 2, mini_batch_size: 50, num_models: 4}
report: {figures: false, html: false}
"""

LIMIT_S = 60
"""A process that runs longer is killed, and a wait for a training job that takes longer fails."""

COMMAND = (sys.executable, "-m", "asteroid_ll")


def environment(**more: str) -> dict[str, str]:
    """Return a command's environment: the canaries, and nothing of this machine's user."""
    plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    return {**plain, **CANARIES, **more}


@dataclass(frozen=True)
class Ended:
    """The end of a command: exit code (minus the signal that killed it), stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        """The one JSON object on stdout."""
        envelope = json.loads(self.out)
        assert isinstance(envelope, dict)
        return envelope

    def status_of(self, stage: str) -> str:
        """Return a stage's status in the JSON object."""
        return next(str(item["status"]) for item in self.json["stages"] if item["name"] == stage)


@dataclass(frozen=True)
class Started:
    """A command under way: its line, its process number, and the files that get its streams."""

    arguments: tuple[str, ...]
    pid: int
    out: Path
    err: Path


class Zygote:
    """Starts commands by forking one warm process, see ``zygote.py``."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self._n_started = 0
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("zygote.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )

    def start(
        self,
        folder: Path,
        arguments: Sequence[str],
        *,
        more_environment: Mapping[str, str],
        hooks: Mapping[str, object],
    ) -> Started:
        """Start one command, with hooks by their names in ``zygote.py``."""
        self._n_started += 1
        out, err = (self._scratch / f"{name}-{self._n_started}" for name in ("out", "err"))
        order = {
            "folder": str(folder),
            "arguments": list(arguments),
            "environment": environment(**more_environment),
            "hooks": dict(hooks),
            "out": str(out),
            "err": str(err),
        }
        return Started(tuple(arguments), self._order(order)["pid"], out, err)

    def wait(self, command: Started) -> Ended:
        """Wait for the end of a command, at most `LIMIT_S`; then it is killed."""
        watchdog = threading.Timer(LIMIT_S, os.kill, (command.pid, signal.SIGKILL))
        watchdog.daemon = True
        watchdog.start()
        code = self._order({"wait": command.pid})["code"]
        watchdog.cancel()
        ended = Ended(code, command.out.read_text("utf-8"), command.err.read_text("utf-8"))
        command.out.unlink()
        command.err.unlink()
        return ended

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)
        self._process.stdout.close()

    def _order(self, order: Mapping[str, object]) -> dict[str, int]:
        """Give an order; return its answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        assert isinstance(answer, dict)
        return answer


class Place:
    """A folder with a configuration and a small table, in which commands run.

    Args:
        folder: the folder; ``asteroids.csv`` and ``small.yaml`` are in it.
        zygote: starts the commands.

    Attributes:
        ahead_s: how far the clock of `emulator` is ahead.
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
        **more: Any,
    ) -> Ended:
        """Run one command line to its end; the arguments are those of `fork`."""
        return self.wait(self.fork(*arguments, config=config, **more))

    def fork(self, *arguments: str, config: str | None = "small.yaml", **more: Any) -> Started:
        """Start one command line, to be ended by `wait`.

        Args:
            arguments: the command line.
            config: appended as ``--config``; None appends nothing.
            more: a name in capitals is a further environment variable; another name is a hook:
                ``faults``, see ``injector.py``;
                ``calls``, a file that gets every request to AWS;
                ``kill_at_record``, number of the journal's record from the start of this command, and ``before`` or
                ``after``;
                ``interrupt_before``, a stage before which the command gets SIGINT;
                ``signal_at_line``, a stage and a signal's name, sent right after the line about its result;
                ``signal_at_call``, a stage, a number of calls of Python functions after its start, and a signal's name;
                ``pause_before``, a call, a named pipe to write to before it, and another to read before it is sent;
                ``limits``, values by names such as ``RLIMIT_NOFILE``;
                ``jump``, a number of records after which the clock is set, and by how many seconds;
                ``disk``, arguments of ``os_layer.OsLayer``;
                ``poll_s``, seconds between two polls of AWS.
        """
        more_environment = {name: value for name, value in more.items() if name.isupper()}
        hooks = {name: value for name, value in more.items() if not name.isupper()}
        line = [*arguments, *(() if config is None else ("-c", config))]
        return self._zygote.start(
            self.folder,
            line,
            more_environment=more_environment,
            hooks={name: str(value) if isinstance(value, Path) else value for name, value in hooks.items()},
        )

    def wait(self, command: Started) -> Ended:
        """Wait for the end of a command that `fork` has started."""
        ended = self._zygote.wait(command)
        line = command.arguments
        ends_clean = line[0] in ("run-all", "teardown") and not {"--keep", "--dry-run"} & set(line)
        self._clean = ended.code == 0 and ends_clean
        assert not _canaries_in(ended.out + ended.err), f"a secret is on a stream of {line}"
        return ended

    def start(self, *arguments: str, config: str | None = "small.yaml", **options: Any) -> subprocess.Popen[str]:
        """Start a command line as a separate process in a separate session."""
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
        """Replace text in a file of the folder."""
        path = self.folder / file
        text = path.read_text("utf-8")
        assert old in text
        path.write_text(text.replace(old, new), "utf-8")

    def bytes_of(self, relative: str) -> bytes:
        """Return the content of a file in the run directory."""
        return (self.workdir / relative).read_bytes()

    def outputs(self) -> dict[str, bytes]:
        """Return the content of every output file of the stages, by path."""
        return {
            str(path.relative_to(self.workdir)): path.read_bytes()
            for path in sorted(self.workdir.rglob("*"))
            if path.is_file()
            and self.state not in path.parents
            and path.name not in ("lock", "journal.jsonl", "run.json")
        }

    def metrics(self) -> dict[str, Any]:
        """Return the metrics that the predict stage wrote."""
        metrics = json.loads(self.bytes_of("predict/metrics.json"))["metrics"]
        assert isinstance(metrics, dict)
        return metrics

    @contextmanager
    def emulator(self) -> Iterator[Account]:
        """Open the folder's emulated account."""
        emulator = Account(self.state, clock=lambda: time.time() + self.ahead_s)
        try:
            yield emulator
        finally:
            emulator.close()

    def open_intervals(self) -> list[BilledInterval]:
        """Return the intervals that the emulated account currently bills."""
        with self.emulator() as emulator:
            emulator.settle()
            return open_intervals(emulator.state)

    def configure(self, **changes: Any) -> None:
        """Change settings of the emulated account, such as ``training_starting_s``."""
        with self.emulator() as emulator:
            emulator.configure(**changes)

    def status_of(self, kind: str, name: str) -> str:
        """Return a resource's status, empty if it does not exist."""
        with self.emulator() as emulator:
            emulator.settle()
            statuses = {item.name: item.status for item in emulator.services.resources.find(kind)}
            return statuses.get(name, "")

    def worker_pid(self) -> int:
        """Return the process number of the only training job, once its worker runs."""
        deadline_s = time.monotonic() + LIMIT_S
        while time.monotonic() < deadline_s:
            with self.emulator() as emulator:
                (job,) = emulator.services.resources.find("training-job")
            if "worker" in job.body:
                return int(job.body["worker"]["pid"])
            os.sched_yield()
        raise AssertionError(f"no worker claimed the job in {LIMIT_S} s")

    def wait_for_job(self, name: str) -> None:
        """Wait until a training job has completed, at most `LIMIT_S`."""
        with connect("emulator", region=REGION, emulator_dir=self.state) as aws:
            job = poll(
                lambda: resources.describe_new(aws, "training-job", name),
                until=lambda job: job["TrainingJobStatus"] not in ("InProgress", "Stopping"),
                pace=aws.pace,
                timeout_s=LIMIT_S,
                what=f"training job {name}",
            )
        assert job["TrainingJobStatus"] == "Completed", job

    def names(self, kind: str) -> list[str]:
        """Return the names of all resources of a kind, such as ``training-job``."""
        with self.emulator() as emulator:
            return [item.name for item in emulator.services.resources.find(kind)]

    def processes(self) -> list[str]:
        """Return the command lines of processes that name this folder."""
        lines = []
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                line = path.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
            except OSError:
                continue
            if str(self.folder) in line:
                lines.append(line)
        return lines

    def check(self) -> None:
        """Check for duplicate jobs, stray objects, secrets, and bills after a clean end."""
        leaked = [str(path) for path in self.folder.rglob("*") if path.is_file() and _canaries_in(path.read_bytes())]
        assert not leaked, "a secret is in a file"
        if not (self.state / "state.sqlite3").exists():
            return
        with self.emulator() as emulator:
            table = emulator.services.resources
            jobs = [job for job in table.find("training-job") if job.status not in ("Failed", "Stopped")]
            tags = [table.tags(job.arn) for job in jobs]
            objects = [
                f"{bucket.name}/{item.key}"
                for bucket in emulator.store.buckets()
                for item in emulator.store.list(bucket.name)
            ]
            emulator.settle()
            still_open = open_intervals(emulator.state)
        fingerprints = Counter(tag.get("asteroid-ll:fingerprint", "") for tag in tags)
        fingerprints.pop("", None)
        assert all(count == 1 for count in fingerprints.values()), f"two jobs of one fingerprint: {fingerprints}"
        assert all(name.startswith(f"{BUCKET}/{PREFIX}") for name in objects), f"stray objects: {objects}"
        assert not (self._clean and still_open), f"still billed: {still_open}"


def by_content(names: Sequence[str]) -> list[str]:
    """Return names of resources without the digits of the run."""
    return [re.sub(r"(asteroid-ll-[0-9a-f]{16})-[0-9a-f]{8}", r"\1", name) for name in names]


def create_role(state: Path) -> None:
    """Create the execution role in an emulated account, as the commands of ``iam setup --dry-run`` do."""
    scope = Scope(
        bucket=BUCKET,
        swept_bucket=BUCKET,
        prefix=PREFIX.rstrip("/"),
        role_arn=ROLE_ARN,
        region=REGION,
        account_id=ACCOUNT_ID,
    )
    name = ROLE_ARN.rpartition("/")[2]
    with Emulator(state) as emulator:
        iam = emulator.session().client("iam")
        iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(trust_policy(scope)))
        iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=json.dumps(role_policy(scope)))


def write_place(folder: Path) -> None:
    """Write the small configuration and the small table."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "small.yaml").write_text(CONFIG, "utf-8")
    (folder / "asteroids.csv").write_text(small_table(), "utf-8")


def with_other_rows(place: Place, folder: Path, zygote: Zygote) -> Place:
    """Copy a finished place and change its source, which makes a run replace every output."""
    copy = copy_of(place, folder, zygote)
    (folder / "asteroids.csv").write_text(small_table(seed=8), "utf-8")
    return copy


def disk_points(place: Place, file: Path) -> list[str]:
    """Run everything in a place, and return every write, sync and rename, as ``os_layer.py`` names them."""
    ended = place.run("run-all", disk={"record": str(file)})
    assert ended.code == 0, ended.err
    return file.read_text("utf-8").splitlines()


def shares(items: Sequence[T], share: int, *, n_shares: int) -> Sequence[T]:
    """Return one of equal shares of a sequence: all of it if ``EXHAUSTIVE``, else its middle item."""
    part = items[share * len(items) // n_shares : (share + 1) * len(items) // n_shares]
    return part if EXHAUSTIVE else part[len(part) // 2 :][:1]


def assert_finishes_like(place: Place, undisturbed: Place, *, after: str) -> None:
    """Check that the next run succeeds with the same metrics and files, one job, and nothing billed."""
    again = place.run("run-all", "--json")
    assert again.code == 0, (after, again.err)
    assert again.json["billing"] == {"open": []}, after
    assert place.metrics() == undisturbed.metrics(), after
    assert set(place.outputs()) == set(undisturbed.outputs()), after
    assert place.bytes_of("predict/predictions.csv") == undisturbed.bytes_of("predict/predictions.csv"), after
    assert place.open_intervals() == [], after
    assert by_content(place.names("training-job")) == by_content(undisturbed.names("training-job")), after


def assert_one_sentence(ended: Ended) -> None:
    """Check that a failure is one line with the next command, and not a bug."""
    error = ended.json["error"]
    assert error["what"].endswith(".") or ":" in error["what"]
    assert "\n" not in error["what"]
    assert error["hint"]
    assert error["exit_code"] == ended.code
    assert "Traceback" not in ended.err


def small_table(*, n_rows: int = 600, seed: int = 7) -> str:
    """Return a table of invented asteroids as CSV, a quarter of them hazardous, with about 400 identities."""
    generator = np.random.default_rng(seed)
    h = generator.uniform(16.0, 27.0, n_rows)
    moid = generator.uniform(0.0005, 0.12, n_rows)
    identity = generator.integers(2_000_000, 2_000_400, n_rows)
    hazardous = (h <= 22.0) & (moid <= 0.05)
    lines = ["asteroid_id,name,absolute_magnitude_mag,moid_au,hazardous"]
    lines += [f"{i},A{i},{m:.2f},{d:.6f},{label}" for i, m, d, label in zip(identity, h, moid, hazardous, strict=True)]
    return "\n".join(lines) + "\n"


def copy_of(place: Place, folder: Path, zygote: Zygote) -> Place:
    """Copy a place to another folder."""
    shutil.copytree(place.folder, folder)
    return Place(folder, zygote)


def _canaries_in(content: str | bytes) -> list[str]:
    text = content if isinstance(content, bytes) else content.encode()
    return [name for name, value in CANARIES.items() if value.encode() in text]
