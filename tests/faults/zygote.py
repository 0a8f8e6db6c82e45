"""Runs command lines of asteroid-ll, each in a fork of one warm process, with hooks where they are asked for.

Every command is a real process with its own files, signals and exit code; only the imports are paid once. Orders come
on stdin and answers go to stdout, one JSON object a line.
"""

from __future__ import annotations

import functools
import json
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

from os_layer import OsLayer

WARM = (
    "asteroid_ll.aws.billing",
    "asteroid_ll.aws.endpoints",
    "asteroid_ll.aws.images",
    "asteroid_ll.aws.jobs",
    "asteroid_ll.aws.logs",
    "asteroid_ll.aws.storage",
    "asteroid_ll.aws.teardown",
    "asteroid_ll.cli.config",
    "asteroid_ll.cli.emulator",
    "asteroid_ll.cli.predict",
    "asteroid_ll.cli.runs",
    "asteroid_ll.emulator.app",
    "asteroid_ll.emulator.transport.faults",
    "asteroid_ll.emulator.transport.in_process",
    "asteroid_ll.formats.payload",
    "asteroid_ll.formats.recordio",
    "asteroid_ll.linear_learner.artifact",
    "asteroid_ll.neo.cleaning",
    "asteroid_ll.neo.features",
    "asteroid_ll.neo.sources.tabular",
    "asteroid_ll.pipeline.project",
    "asteroid_ll.evaluation.findings",
    "asteroid_ll.report.summary",
    "asteroid_ll.report.tables",
    "asteroid_ll.stages.predict",
    "botocore.configprovider",
    "botocore.session",
)

LIMIT_S = 60
"""A command that takes longer hangs, and is ended by SIGALRM."""


def main() -> None:
    """Carry out orders until stdin ends."""
    for module in WARM:
        import_module(module)
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        pid = os.fork()
        if pid == 0:
            _become(order)
        _, status = os.waitpid(pid, 0)
        sys.stdout.write(json.dumps({"pid": pid, "code": os.waitstatus_to_exitcode(status)}) + "\n")
        sys.stdout.flush()


def _become(order: dict[str, Any]) -> NoReturn:
    """Turn this fork into the command and end it as the interpreter would."""
    signal.alarm(LIMIT_S)
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        opened = os.open(path, flags, 0o644)
        os.dup2(opened, number)
        os.close(opened)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["asteroid-ll", *order["arguments"]]
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    code: object = 1
    try:
        _hook(order)
        from asteroid_ll.cli import main as command

        command()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


def _hook(order: dict[str, Any]) -> None:
    for name, value in order["hooks"].items():
        HOOKS[name](value)
    _make_retries_quick()


def _record_calls(file: str) -> None:
    """Write every request to AWS, whether it names the bucket's owner, and every socket, a JSON array a line."""
    path = Path(file)

    def note(*facts: object) -> None:
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(facts) + "\n")

    def before_send(request: Any, event_name: str, **_others: object) -> None:
        _, service, operation = event_name.split(".")
        note(service, operation, "x-amz-expected-bucket-owner" in {name.lower() for name in request.headers})

    _before_each_call(before_send)
    sys.addaudithook(lambda event, _: note("socket", event, False) if event.startswith("socket.") else None)


def _before_each_call(before_send: Callable[..., None]) -> None:
    """Let a function see every request to AWS before anything answers it."""
    from asteroid_ll.emulator.transport import in_process as transport

    attach = transport.attach

    @functools.wraps(attach)
    def attach_after(session: Any, *arguments: Any, **named: Any) -> None:
        session.get_component("event_emitter").register_first("before-send", before_send)
        attach(session, *arguments, **named)

    transport.attach = attach_after


def _pause_before(wanted: tuple[str, str, str]) -> None:
    """Stop once before a call until told to go on: write to one named pipe, then read another to its end."""
    call, reached, go_on = wanted
    left = [1]

    def before_send(event_name: str, **_: object) -> None:
        if left[0] and ":".join(event_name.split(".")[1:]) == call:
            left[0] = 0
            Path(reached).write_bytes(b".")
            Path(go_on).read_bytes()

    _before_each_call(before_send)


def _limit(limits: dict[str, int]) -> None:
    """Lower limits of this process by the names of the module ``resource``, such as ``RLIMIT_NOFILE``."""
    for name, value in limits.items():
        number = getattr(resource, name)
        resource.setrlimit(number, (value, resource.getrlimit(number)[1]))


def _jump(wanted: tuple[int, float]) -> None:
    """Set the clock by so many seconds once the journal's n-th record from here is written."""
    from asteroid_ll.emulator.app import Emulator
    from asteroid_ll.run.journal import Journal

    nth, seconds = wanted
    append: Callable[..., Any] = Journal.append
    now, seen = time.time, [0]

    def append_and_count(journal: Journal, *arguments: Any, **facts: Any) -> Any:
        seen[0] += 1
        return append(journal, *arguments, **facts)

    Journal.append = append_and_count  # type: ignore[method-assign, assignment]
    time.time = lambda: now() + (seconds if seen[0] >= nth else 0.0)
    defaults = Emulator.__init__.__kwdefaults__
    assert defaults is not None
    defaults["clock"] = lambda: time.time()


def _kill_at_record(wanted: tuple[int, str]) -> None:
    """Kill this process as it writes the journal's n-th record from here, before or after it is on the disk."""
    from asteroid_ll.run.journal import Journal

    nth, phase = wanted
    append: Callable[..., Any] = Journal.append
    left = [nth]

    def append_or_die(journal: Journal, *arguments: Any, **facts: Any) -> Any:
        left[0] -= 1
        if left[0] == 0 and phase == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        record = append(journal, *arguments, **facts)
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    Journal.append = append_or_die  # type: ignore[method-assign, assignment]


def _interrupt_before(stage: str) -> None:
    """Interrupt this process between two stages: once, when the one before ``stage`` is done."""
    from asteroid_ll.pipeline.run import Pipeline
    from asteroid_ll.stages.registry import STAGES

    plan: Callable[..., Any] = Pipeline.plan
    left = [1 + [item.name for item in STAGES].index(stage)]

    def plan_or_stop(pipeline: Pipeline, *arguments: Any, **named: Any) -> Any:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return plan(pipeline, *arguments, **named)

    Pipeline.plan = plan_or_stop  # type: ignore[method-assign, assignment]


def _make_retries_quick() -> None:
    """botocore's pauses between attempts pass at once; each would be up to 20 s."""
    import botocore.endpoint

    botocore.endpoint.time = SimpleNamespace(sleep=lambda _: None, time=time.time)


HOOKS: dict[str, Callable[[Any], None]] = {
    "calls": _record_calls,
    "kill_at_record": _kill_at_record,
    "interrupt_before": _interrupt_before,
    "pause_before": _pause_before,
    "limits": _limit,
    "jump": _jump,
    "disk": lambda wanted: OsLayer(**wanted).install(),
}
"""What a command can be given on its way, by the name in the order."""


if __name__ == "__main__":
    main()
