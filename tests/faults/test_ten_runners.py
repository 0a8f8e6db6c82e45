"""Runners side by side on one account: half of them are killed or interrupted, and a sweep from elsewhere ends it.

The account has resources of somebody else too. Its HTTP server is in this process, and an observer between the two
records every request and sends the signals. One small seed in the default suite, fifty with ten runners each with
``ASTEROID_LL_EXHAUSTIVE=1``.
"""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import signal
import sqlite3
import threading
import time
from contextlib import closing
from dataclasses import dataclass, field
from functools import cache

import pytest

from asteroid_ll import Emulator
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.emulator.transport.server import serving

EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"
DEFAULT_SEED = 2691
"""Two undisturbed runners, one that is killed and one that is interrupted, both while their endpoints exist."""

SEEDS, N_RUNNERS = (range(50), 10) if EXHAUSTIVE else ((DEFAULT_SEED,), 4)

SIGNALS = ("SIGKILL", "SIGKILL", "SIGINT", "SIGTERM", "SIGHUP")
REQUESTS = {"prepared": ((1, 50),), "trained": ((1, 30), (3, 9)), "training": ((12, 25),)}
"""The ranges of the request at which a signal comes, by what the run begins with: the whole run, or its deployment."""

LINES = ("upload", "train", "deploy", "deploy", "predict")
"""Stages whose lines are moments of a signal."""

LONG = ("--set", "hyperparameters.epochs=1000000")
"""Makes a training outlast the test."""

THEIR_TAGS = {
    "production": {},
    "billing-asteroid-ll-eu": {"team": "billing"},
    "Asteroid-LL-demo": {"asteroid-ll": "owned"},
    "asteroid-ll-lookalike": {"team": "astronomy"},
    "asteroid-ll-0123456789abcdef-01234567": {"asteroid-ll": "theirs", "asteroid-ll:run": "asteroid-run-01234567"},
}
"""The foreign endpoints, each with a configuration and a model of its name, and the tags of all three."""

THEIR_BUCKET = "their-bucket"
STACK = ("endpoint", "endpoint-config", "model")
SAGEMAKER = re.compile(r"SageMaker\.(\w+)")
CHECK = re.compile("/(iam|servicequotas)/aws4_request")
"""The requests before a run, which change nothing; the ranges of `REQUESTS` are without them."""

INVOCATION = re.compile(r"/endpoints/([^/]+)/invocations")


@dataclass
class Runner:
    """One run-all.

    Attributes:
        place: its place.
        begins: ``prepared`` or ``trained``, what is done before; ``training`` for a prepared one whose training lasts.
        signal: the name of the signal that it gets; empty for none.
        request: the number of the request at which it gets the signal; 0 for another moment.
        phase: ``before`` or ``after`` the account does the work of that request.
        line: the stage after whose line it gets the signal; empty for another moment.
        command: the process, once it has started.
        n_requests: number of requests until now.
        is_disturbed: the signal was sent.
        ended: the end of the process.
    """

    place: object
    begins: str
    signal: str = ""
    request: int = 0
    phase: str = ""
    line: str = ""
    command: object = None
    n_requests: int = 0
    is_disturbed: bool = False
    ended: object = None

    def __str__(self):
        moment = f"line of {self.line}" if self.line else f"request {self.request} {self.phase}"
        return f"{self.place.folder.name}, {self.begins}, {f'{self.signal} at {moment}' if self.signal else ''}"


@dataclass
class Observer:
    """A handler in front of the account.

    Attributes:
        account: the account.
        runners: by the access key of their requests.
        requests: each request of anybody.
        all_started: no request is answered before.
    """

    account: Account
    runners: dict[str, Runner] = field(default_factory=dict)
    requests: list[object] = field(default_factory=list)
    all_started: threading.Event = field(default_factory=threading.Event)

    def handle(self, request):
        """Answer a request, and send the signal that is due."""
        self.all_started.wait()
        self.requests.append(request)
        runner = self.runners.get(re.search(r"Credential=(\w+)/", request.headers["authorization"])[1])
        if runner is None:
            return self.account.handle(request)
        if CHECK.search(request.headers["authorization"]):
            return self.account.handle(request)
        runner.n_requests += 1
        is_due = bool(runner.signal) and runner.n_requests == runner.request
        if is_due and runner.phase == "before":
            self._disturb(runner)
            return Response(500)
        response = self.account.handle(request)
        if is_due:
            self._disturb(runner)
        return response

    def _disturb(self, runner):
        os.kill(runner.command.pid, getattr(signal, runner.signal))
        runner.is_disturbed = True


@pytest.fixture(scope="module")
def account_like(account_training, planting, workbench, tmp_path_factory):
    """Makes copies of an account with the foreign resources, which else is empty or has what a trained place left."""
    place, _ = account_training

    @cache
    def account(kind):
        directory = tmp_path_factory.mktemp("account") / kind
        if kind == "trained":
            shutil.copytree(place.state, directory)
        else:
            workbench.create_role(directory)
        with Emulator(directory) as emulator:
            artifact = place.workdir / "train/model.tar.gz"
            region = planting.Region(emulator, "us-east-1", artifact, key="theirs", bucket=THEIR_BUCKET)
            for name, tags in THEIR_TAGS.items():
                region.endpoint(name, [{"Key": key, "Value": value} for key, value in tags.items()])
            region.upload("asteroid-ll/train/part-0")
        return directory

    return lambda kind, directory: shutil.copytree(account(kind), directory)


def drawn_runner(dice, number, *, is_disturbed, place_of):
    """Return a runner whose beginning and signal are random."""
    begins = dice.choice(("prepared", "trained"))
    if not is_disturbed:
        return Runner(place_of(begins, number), begins)
    if begins == "prepared" and dice.random() < 0.25:
        begins = "training"
    drawn = Runner(place_of(begins, number), begins, signal=dice.choice(SIGNALS))
    if begins != "training" and dice.random() < 0.25:
        drawn.line = dice.choice(LINES)
    else:
        drawn.request, drawn.phase = dice.randint(*dice.choice(REQUESTS[begins])), dice.choice(("before", "after"))
    return drawn


@pytest.mark.parametrize("seed", SEEDS)
def test_runners_on_one_account_end_well_and_a_sweep_leaves_only_what_is_foreign(
    seed, account_once, account_training, account_like, workbench, zygote, tmp_path, capfd
):
    def place_of(begins, number):
        """A copy without the account. It is another run, because its original exists."""
        origin, folder = account_training[0] if begins == "trained" else account_once, tmp_path / f"runner{number}"
        shutil.copytree(origin.folder, folder, ignore=shutil.ignore_patterns("emulator"))
        return workbench.Place(folder, zygote)

    dice = random.Random(seed)
    state = account_like(dice.choice(("empty", "trained")), tmp_path / "account")
    theirs = foreign_rows(state)
    assert len(theirs) > 4 * len(THEIR_TAGS)
    disturbed = dice.sample(range(N_RUNNERS), k=N_RUNNERS // 2)
    runners = {
        f"RUNNER{number}": drawn_runner(dice, number, is_disturbed=number in disturbed, place_of=place_of)
        for number in range(N_RUNNERS)
    }
    elsewhere = workbench.Place(tmp_path / "elsewhere", zygote)
    elsewhere.folder.mkdir()
    with closing(Account(state)) as account:
        account.configure(
            endpoint_creating_s=dice.choice((0.0, 0.5)),
            endpoint_deleting_s=dice.choice((0.0, 0.3)),
            invisible_polls=dice.choice((0, 1, 2, 3)),
            stop_grace_s=0.1,
        )
        observer = Observer(account, runners)
        with serving(observer) as port:
            url = f"http://127.0.0.1:{port}"
            run_together(runners, observer, url)
            for runner in runners.values():
                check_end(runner, state)
            line = ("sweep", "--all", "--yes", "--json", "--set", "target=aws")
            ended = elsewhere.run(*line, config=None, AWS_ENDPOINT_URL=url)
    assert ended.code == 0, ended.err
    assert list(elsewhere.folder.iterdir()) == []
    assert foreign_rows(state) == theirs
    check_requests(observer.requests)
    assert billed(state) == set(THEIR_TAGS)
    alive = "SELECT name FROM resources WHERE kind <> 'training-job' OR status IN ('InProgress', 'Stopping')"
    assert {name for (name,) in rows(state, alive)} == set(THEIR_TAGS)
    assert not (state / "emulator.log").exists(), (state / "emulator.log").read_text("utf-8")
    assert capfd.readouterr().err == "", "the server has printed something"


def run_together(runners, observer, url):
    """Start all runners, and wait for all of them."""
    for key, runner in runners.items():
        hooks = {"signal_at_line": (runner.line, runner.signal)} if runner.line else {}
        line = ("run-all", "--json", *(LONG if runner.begins == "training" else ()))
        runner.command = runner.place.fork(*line, poll_s=0.2, AWS_ENDPOINT_URL=url, AWS_ACCESS_KEY_ID=key, **hooks)
    observer.all_started.set()
    for runner in runners.values():
        runner.ended = runner.place.wait(runner.command)


def check_end(runner, state):
    """Check a runner's exit code, and that it has named everything that it left."""
    ended = runner.ended
    if runner.is_disturbed or runner.line:
        assert ended.code == (-9 if runner.signal == "SIGKILL" else 130), f"{runner}: {ended.code}\n{ended.err}"
    else:
        assert ended.code == 0, f"{runner}\n{ended.err}"
    assert "Traceback" not in ended.err, f"{runner}\n{ended.err}"
    runner.place.check()
    if ended.code == -9:
        return
    run = json.loads(runner.place.bytes_of("run.json"))["run"]
    query = "SELECT kind, name, status FROM resources JOIN tags USING (arn) WHERE key = 'asteroid-ll:run' AND value = ?"
    mine = list(rows(state, query, run))
    assert [name for kind, name, _ in mine if kind in STACK] == [], str(runner)
    reported = {item["name"] for item in ended.json["billing"]["open"]}
    jobs = {name for kind, name, status in mine if status in ("InProgress", "Stopping")}
    assert jobs <= (reported if ended.code else set()), (str(runner), jobs, reported)


def check_requests(requests):
    """Check that no request names anything foreign, except to read the tags of a name with our prefix."""
    for request in requests:
        target = SAGEMAKER.fullmatch(request.headers.get("x-amz-target", ""))
        invocation = INVOCATION.fullmatch(request.path)
        if target:
            values = json.loads(request.body)
            named = [str(value) for key, value in values.items() if key.endswith(("Name", "ResourceArn"))]
            names = {name.rpartition("/")[2] for name in named}
            assert all(name.startswith("asteroid-ll-") for name in names), (target[1], names)
            assert target[1] == "ListTags" or not names & set(THEIR_TAGS), (target[1], names)
            if target[1].startswith("List") and target[1] != "ListTags":
                assert values["NameContains"].startswith("asteroid-ll-"), target[1]
        elif invocation:
            assert invocation[1].startswith("asteroid-ll-")
            assert invocation[1] not in THEIR_TAGS
        else:
            assert THEIR_BUCKET not in request.path


def rows(state, query, *values):
    """Read the account's database, without the emulator."""
    with closing(sqlite3.connect(f"file:{state / 'state.sqlite3'}?mode=ro", uri=True)) as database:
        return database.execute(query, values).fetchall()


def foreign_rows(state):
    """Return everything that the account has stored about the foreign resources."""
    arns = [f"arn:aws:sagemaker:us-east-1:000000000000:{kind}/{name}" for kind in STACK for name in THEIR_TAGS]
    queries = [
        *((f"SELECT * FROM {table} WHERE arn = ?", arns) for table in ("resources", "tags", "intervals")),
        *(
            (f"SELECT * FROM {table} WHERE bucket = ? ORDER BY 1, 2", [THEIR_BUCKET])
            for table in ("s3_object", "s3_setting")
        ),
    ]
    return [row for query, values in queries for value in values for row in rows(state, query, value)]


def billed(state):
    """Return the names of the jobs and endpoints that are billed now."""
    query = "SELECT arn FROM intervals WHERE ended_s IS NULL OR ended_s > ?"
    return {arn.rpartition("/")[2] for (arn,) in rows(state, query, time.time())}
