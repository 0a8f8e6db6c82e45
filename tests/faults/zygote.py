"""Runs command lines of asteroid-ll, each in a fork of one warm process, with the hooks that an order names.

Every command is a real process with its own files, signals and exit code; only the imports are shared. Orders come on
stdin and answers go to stdout, one JSON object per line. An order starts a command or waits for the end of one, so
several commands can run at the same time.
"""

from __future__ import annotations

import functools
import gc
import json
import os
import pkgutil
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import injector
from os_layer import OsLayer

WARM = ("aws", "cli", "emulator", "evaluation", "formats", "neo", "pipeline", "scoring", "stages")
"""Rooms whose modules are imported once, before the first command."""


def main() -> None:
    """Carry out orders until stdin ends.

    Commands get the default actions of signals, which ``nohup`` and a shell's background jobs replace.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGHUP, signal.SIGQUIT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    for room in WARM:
        package = import_module(f"asteroid_ll.{room}")
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            import_module(module.name)
    _read_service_models()
    gc.collect()
    gc.freeze()  # commands share these objects: the collector would copy them into each
    for line in iter(sys.stdin.readline, ""):
        order = json.loads(line)
        sys.stdout.write(json.dumps(_end(order["wait"]) if "wait" in order else _start(order)) + "\n")
        sys.stdout.flush()


def _read_service_models() -> None:
    """Read botocore's data once for all commands; each command makes its own clients from it."""
    import botocore.session

    botocore.session.create_loader = functools.cache(botocore.session.create_loader)
    session = botocore.session.Session()
    for service in ("s3", "sagemaker", "sagemaker-runtime", "logs", "sts"):
        session.create_client(service, "us-east-1", aws_access_key_id="key", aws_secret_access_key="secret").close()


def _start(order: dict[str, Any]) -> dict[str, int]:
    """Start a command; return its process number."""
    pid = os.fork()
    if pid == 0:
        _become(order)
    return {"pid": pid}


def _end(pid: int) -> dict[str, int]:
    """Wait for the end of a command; return its exit code."""
    _, status = os.waitpid(pid, 0)
    return {"code": os.waitstatus_to_exitcode(status)}


def _become(order: dict[str, Any]) -> NoReturn:
    """Turn this fork into the command, and end it as the interpreter would."""
    for number, path, flags in (
        (0, os.devnull, os.O_RDONLY),
        (1, order["out"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
        (2, order["err"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC),
    ):
        descriptor = os.open(path, flags, 0o644)
        os.dup2(descriptor, number)
        os.close(descriptor)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environment"])
    sys.argv = ["asteroid-ll", *order["arguments"]]
    sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - lives as long as the process
    sys.stderr = open(2, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    code: object = 1
    try:
        _hook(order["hooks"])
        from asteroid_ll.cli import main as command

        command()
    except SystemExit as ended:
        code = ended.code
    except BaseException:
        traceback.print_exc()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else 0)


def _hook(hooks: dict[str, Any]) -> None:
    for name, install in HOOKS.items():
        if name in hooks:
            install(hooks[name])
    _shorten_pauses(hooks.get("poll_s", 0.03))


def _record_calls(file: str) -> None:
    """Write every request to AWS, whether it names the bucket's owner, and every socket; one JSON array per line."""
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
    """Call a function for every request to AWS before anything answers it."""
    from asteroid_ll.emulator.transport import in_process as transport

    attach = transport.attach

    @functools.wraps(attach)
    def attach_after(session: Any, *arguments: Any, **named: Any) -> None:
        session.get_component("event_emitter").register_first("before-send", before_send)
        attach(session, *arguments, **named)

    transport.attach = attach_after


def _pause_before(arguments: tuple[str, str, str]) -> None:
    """Pause once before a call: write to one named pipe, then read another to its end."""
    call, reached, resume = arguments
    is_due = [True]

    def before_send(event_name: str, **_: object) -> None:
        if is_due[0] and ":".join(event_name.split(".")[1:]) == call:
            is_due[0] = False
            Path(reached).write_bytes(b".")
            Path(resume).read_bytes()

    _before_each_call(before_send)


def _limit(limits: dict[str, int]) -> None:
    """Lower limits of this process by the names of the module ``resource``, such as ``RLIMIT_NOFILE``."""
    for name, value in limits.items():
        number = getattr(resource, name)
        resource.setrlimit(number, (value, resource.getrlimit(number)[1]))


def _jump(arguments: tuple[int, float]) -> None:
    """Move the clock by some seconds after the journal's n-th record from here."""
    from asteroid_ll.emulator.account import Account
    from asteroid_ll.run.journal import Journal

    nth, seconds = arguments
    append: Callable[..., Any] = Journal.append
    now, n_records = time.time, [0]

    def append_and_count(journal: Journal, *arguments: Any, **facts: Any) -> Any:
        n_records[0] += 1
        return append(journal, *arguments, **facts)

    Journal.append = append_and_count  # type: ignore[method-assign, assignment]
    time.time = lambda: now() + (seconds if n_records[0] >= nth else 0.0)
    defaults = Account.__init__.__kwdefaults__
    assert defaults is not None
    defaults["clock"] = lambda: time.time()


def _kill_at_record(arguments: tuple[int, str]) -> None:
    """Kill this process at the journal's n-th record from here, before or after the record is on the disk."""
    from asteroid_ll.run.journal import Journal

    nth, phase = arguments
    append: Callable[..., Any] = Journal.append
    remaining = [nth]

    def append_or_die(journal: Journal, *arguments: Any, **facts: Any) -> Any:
        remaining[0] -= 1
        if remaining[0] == 0 and phase == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        record = append(journal, *arguments, **facts)
        if remaining[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return record

    Journal.append = append_or_die  # type: ignore[method-assign, assignment]


def _interrupt_before(stage: str) -> None:
    """Interrupt this process once, when the stage before ``stage`` is done."""
    from asteroid_ll.pipeline.run import Pipeline
    from asteroid_ll.stages.registry import STAGES

    plan: Callable[..., Any] = Pipeline.plan
    remaining = [1 + [item.name for item in STAGES].index(stage)]

    def plan_or_stop(pipeline: Pipeline, *arguments: Any, **named: Any) -> Any:
        remaining[0] -= 1
        if remaining[0] == 0:
            os.kill(os.getpid(), signal.SIGINT)
        return plan(pipeline, *arguments, **named)

    Pipeline.plan = plan_or_stop  # type: ignore[method-assign, assignment]


def _signal_at_line(arguments: tuple[str, str]) -> None:
    """Send a signal to this process once, right after the line about a stage's result was printed."""
    from asteroid_ll.cli.console import Console

    stage, name = arguments
    is_due = [True]
    stage_ended: Callable[..., None] = Console.stage_ended

    def print_and_signal(console: Console, result: Any) -> None:
        stage_ended(console, result)
        if result.name == stage and is_due[0]:
            is_due[0] = False
            os.kill(os.getpid(), getattr(signal, name))

    Console.stage_ended = print_and_signal  # type: ignore[method-assign, assignment]


def _signal_at_call(arguments: tuple[str, int, str]) -> None:
    """Send a signal to this process at the n-th call of any Python function after a stage has begun."""
    from asteroid_ll.pipeline.run import Pipeline

    stage_name, nth, name = arguments
    execute: Callable[..., Any] = Pipeline._execute
    remaining = [nth]

    def count(_frame: object, event: str, _argument: object) -> None:
        if event == "call":
            remaining[0] -= 1
            if remaining[0] == 0:
                sys.setprofile(None)
                os.kill(os.getpid(), getattr(signal, name))

    def execute_counted(pipeline: Pipeline, stage: Any, *others: Any) -> Any:
        if stage.name == stage_name:
            sys.setprofile(count)
        return execute(pipeline, stage, *others)

    Pipeline._execute = execute_counted  # type: ignore[method-assign, assignment]


def _shorten_pauses(poll_s: float) -> None:
    """Skip the pauses between attempts, up to 20 s each, and shorten those between two polls of AWS.

    The clock of the polls goes as far as they should have taken.
    """
    import botocore.endpoint

    from asteroid_ll.aws import session, waiting
    from asteroid_ll.neo.sources import web

    now_s = [0.0]

    def sleep(seconds: float) -> None:
        now_s[0] += seconds
        time.sleep(poll_s)

    vars(session)["AWS_PACE"] = replace(waiting.AWS_PACE, sleep=sleep, clock=lambda: now_s[0])
    botocore.endpoint.time = SimpleNamespace(sleep=lambda _: None, time=time.time)
    vars(web)["PAUSE_S"] = 0.0


HOOKS: dict[str, Callable[[Any], None]] = {
    "faults": injector.install,
    "calls": _record_calls,
    "kill_at_record": _kill_at_record,
    "interrupt_before": _interrupt_before,
    "signal_at_line": _signal_at_line,
    "signal_at_call": _signal_at_call,
    "pause_before": _pause_before,
    "limits": _limit,
    "jump": _jump,
    "disk": lambda arguments: OsLayer(**arguments).install(),
}
"""Hooks by the name in the order. They are installed in this order: later hooks wrap ``faults``."""


if __name__ == "__main__":
    main()
