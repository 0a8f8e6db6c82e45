"""The executor: order, the journal, and teardown whatever happens."""

from __future__ import annotations

import errno
import os
import re
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll.aws import billing
from asteroid_ll.aws.billing import OpenResource
from asteroid_ll.config import Config
from asteroid_ll.errors import AwsError, ConfigError, DataError, InterruptedRunError, LeakError
from asteroid_ll.pipeline.plan import digest
from asteroid_ll.pipeline.results import Listener, RunResult
from asteroid_ll.pipeline.run import Pipeline
from asteroid_ll.report.bill import worst_case
from asteroid_ll.run import journal as journal_module
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import atomic_write
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages.stage import Context, Outcome, Stage


class Toy:
    """A pipeline of four toy stages over a real run directory; records what ran."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.ran: list[str] = []
        self.fail: dict[str, BaseException] = {}
        self.content = {"get": "1", "learn": "2"}

    def work(self, name: str) -> Callable[[Context], Outcome]:
        def run(context: Context) -> Outcome:
            self.ran.append(name)
            if name == "host":
                context.journal.append("intent", stage=name, fingerprint="f", resource="endpoint-1", bills="endpoint")
            if name in self.fail:
                raise self.fail[name]
            if name == "end":
                for record in context.journal.read().open_resources():
                    context.journal.append("gone", stage=name, fingerprint="f", resource=record["resource"])
                return Outcome()
            path = context.path(name, "out")
            atomic_write(path, self.content.get(name, name).encode())
            return Outcome(outputs=(f"{name}/out",), metrics={name: 1}, findings=(f"{name} was done",))

        return run

    def stages(self) -> tuple[Stage, ...]:
        def make(name: str, *needs: str, **more: Any) -> Stage:
            return Stage(name, 1, needs, lambda _: {}, self.work(name), f"Do {name}.", **more)

        return (
            make("get"),
            make("learn", "get"),
            make("host", "learn", transient=True),
            make("ask", "learn", uses=("host",)),
            make("end", transient=True, undoes=("host",)),
        )

    def pipeline(self, **more: Any) -> Pipeline:
        def connect() -> Any:
            raise AssertionError("a toy needs no connection")

        return Pipeline(
            more.pop("stages", self.stages()),
            more.pop("config", Config()),
            directory=self.directory,
            journal=Journal(self.directory / "journal.jsonl"),
            connect=more.pop("connect", connect),
            listener=more.pop("listener", Listener()),
            run="toy-00000000",
            **more,
        )

    def run(self, **more: Any) -> RunResult:
        self.ran.clear()
        return self.pipeline().run(**more)


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "run")


def statuses(result: RunResult) -> dict[str, str]:
    return {stage.name: stage.status for stage in result.stages}


def test_a_first_run_does_everything_in_order_and_leaves_nothing_open(toy: Toy) -> None:
    result = toy.run()
    assert toy.ran == ["get", "learn", "host", "ask", "end"]
    assert result.error is None
    assert result.open == {}
    assert result.findings == ("get was done", "learn was done", "host was done", "ask was done")


def test_a_second_run_does_nothing(toy: Toy) -> None:
    toy.run()
    result = toy.run()
    assert toy.ran == []
    assert set(statuses(result).values()) == {"skipped"}


def test_an_output_that_was_changed_by_hand_is_made_again_and_the_rest_stays(toy: Toy) -> None:
    toy.run()
    (toy.directory / "get" / "out").write_text("tampered")
    result = toy.run()
    assert toy.ran == ["get"]
    assert next(s.reason for s in result.stages if s.name == "get") == "get/out was changed"


def test_new_content_runs_the_stages_after_it(toy: Toy) -> None:
    toy.run()
    toy.content = {"get": "new", "learn": "new too"}
    (toy.directory / "get" / "out").unlink()
    toy.run()
    assert toy.ran == ["get", "learn", "host", "ask", "end"]


def test_new_content_that_changes_nothing_further_on_stops_there(toy: Toy) -> None:
    toy.run()
    toy.content["get"] = "new"
    (toy.directory / "get" / "out").unlink()
    toy.run()
    assert toy.ran == ["get", "learn"]


def test_a_stage_that_fails_after_hosting_is_followed_by_teardown(toy: Toy) -> None:
    toy.fail["ask"] = DataError("The rows are bad.", hint="Mend them.")
    result = toy.run()
    assert toy.ran == ["get", "learn", "host", "ask", "end"]
    assert statuses(result)["ask"] == "failed"
    assert result.error is toy.fail["ask"]
    assert result.open == {}


def test_a_host_that_fails_itself_is_torn_down(toy: Toy) -> None:
    toy.fail["host"] = DataError("No capacity.")
    result = toy.run()
    assert toy.ran == ["get", "learn", "host", "end"]
    assert result.open == {}


def test_a_stage_that_fails_before_anything_bills_ends_the_run_at_once(toy: Toy) -> None:
    toy.fail["learn"] = DataError("Bad.")
    result = toy.run()
    assert toy.ran == ["get", "learn"]
    assert result.error is toy.fail["learn"]


def test_an_interrupt_while_an_endpoint_is_up_tears_it_down(toy: Toy) -> None:
    toy.fail["ask"] = KeyboardInterrupt()
    result = toy.run()
    assert isinstance(result.error, InterruptedRunError)
    assert toy.ran[-1] == "end"
    assert result.open == {}


def test_a_bug_is_raised_as_it_is_after_teardown(toy: Toy) -> None:
    toy.fail["ask"] = ZeroDivisionError("a bug")
    with pytest.raises(ZeroDivisionError):
        toy.run()
    assert toy.ran[-1] == "end"


def test_a_bug_between_two_stages_is_raised_after_teardown_too(toy: Toy) -> None:
    def external(_: Config) -> dict[str, str]:
        if toy.ran[-1:] == ["host"]:
            raise ZeroDivisionError("a bug while planning what follows the host")
        return {}

    stages = tuple(replace(stage, external=external) if stage.name == "ask" else stage for stage in toy.stages())
    with pytest.raises(ZeroDivisionError):
        toy.pipeline(stages=stages).run()
    assert toy.ran == ["get", "learn", "host", "end"]


def test_a_teardown_that_leaves_something_outranks_the_first_failure(toy: Toy) -> None:
    toy.fail = {"ask": DataError("Bad."), "end": LeakError("Still there: endpoint-1.")}
    result = toy.run()
    assert result.error is toy.fail["end"]
    assert result.open == {"endpoint-1": "endpoint"}


def test_what_an_earlier_run_left_open_is_torn_down_by_the_next(toy: Toy) -> None:
    toy.run(tear_down=False)
    result = toy.run()
    assert toy.ran == ["end"]
    assert result.open == {}


def test_keep_leaves_the_endpoint_and_says_so(toy: Toy) -> None:
    assert toy.run(tear_down=False).open == {"endpoint-1": "endpoint"}


def test_a_stage_alone_refuses_inputs_that_are_not_up_to_date_and_names_the_command(toy: Toy) -> None:
    result = toy.run(selected=("learn",), tear_down=False)
    assert isinstance(result.error, ConfigError)
    assert "get" in result.error.what
    assert result.error.hint.startswith("asteroid-ll get")
    assert toy.ran == []


def test_stages_alone_in_order_are_the_same_as_all_at_once(toy: Toy, tmp_path: Path) -> None:
    toy.run()
    other = Toy(tmp_path / "other")
    for name in ("get", "learn", "host", "ask", "end"):
        assert other.run(selected=(name,), forced=(name,), tear_down=False).error is None
    assert other.pipeline().snapshot().done == toy.pipeline().snapshot().done


def test_the_numbers_of_a_stage_that_is_up_to_date_are_shown_again(toy: Toy) -> None:
    def ask(context: Context) -> Outcome:
        atomic_write(context.path("ask/out"), b'{"metrics": {"f1": 1}, "findings": ["good"]}')
        return Outcome(outputs=("ask/out",), metrics={"f1": 1}, findings=("good",))

    stages = tuple(
        replace(stage, run=ask, result="ask/out") if stage.name == "ask" else stage for stage in toy.stages()
    )
    first = toy.pipeline(stages=stages).run()
    second = toy.pipeline(stages=stages).run()
    assert statuses(second)["ask"] == "skipped"
    assert second.metrics["f1"] == first.metrics["f1"] == 1
    assert second.findings == ("good",)


def test_an_older_result_is_made_anew_from_its_own_outputs_and_nothing_is_hosted(toy: Toy) -> None:
    def write(context: Context, version: int, *, by: str) -> Outcome:
        text = f'{{"metrics": {{"version": {version}}}, "findings": []}}'
        atomic_write(context.path("ask/out"), text.encode())
        return Outcome(outputs=("ask/out",), metrics={"version": version}, note=by)

    def stages(newest: int) -> tuple[Stage, ...]:
        ask = replace(
            toy.stages()[3],
            run=lambda context: write(context, newest, by="run"),
            result="ask/out",
            outdated=lambda path: None if f'"version": {newest}' in path.read_text() else "an older shape",
            rescore=lambda context: write(context, newest, by="rescored"),
        )
        look = Stage("look", 1, ("ask",), lambda _: {}, toy.work("look"), "Look.")
        return (*toy.stages()[:3], ask, look, toy.stages()[4])

    first = toy.pipeline(stages=stages(1)).run()
    assert next(stage.note for stage in first.stages if stage.name == "ask") == "run"
    toy.ran.clear()
    result = toy.pipeline(stages=stages(2)).run()
    assert toy.ran == ["look"]
    assert statuses(result) == {
        "get": "skipped", "learn": "skipped", "host": "skipped", "ask": "run", "look": "run", "end": "skipped",
    }  # fmt: skip
    assert result.metrics["version"] == 2
    assert next(stage.note for stage in result.stages if stage.name == "ask") == "rescored"
    assert set(statuses(toy.pipeline(stages=stages(2)).run()).values()) == {"skipped"}


def test_a_result_says_in_a_line_what_came_out(toy: Toy) -> None:
    result = replace(toy.run(), metrics={"scores": {"model": {"f1": 0.75}}})
    assert repr(result) == f"RunResult('{toy.directory}', 5 of 5 stages run, F1 0.7500, nothing open)"
    assert repr(replace(result, metrics={}, open={"e": "endpoint"})).endswith("stages run, 1 resources open)")


def test_what_is_missing_outside_is_found_before_a_stage_needs_it(toy: Toy) -> None:
    toy.run()
    asked: list[str] = []

    def verify(_: Context) -> str | None:
        asked.append("get")
        return "s3://bucket/get is missing"

    stages = tuple(replace(stage, verify=verify) if stage.name == "get" else stage for stage in toy.stages())
    toy.ran.clear()
    toy.pipeline(stages=stages).run()
    assert asked == []
    toy.pipeline(stages=stages).run(forced=("learn",))
    assert asked == ["get"]
    assert toy.ran[:2] == ["get", "learn"]


def test_a_listener_is_told_of_each_stage(toy: Toy) -> None:
    told: list[str] = []
    listener = Listener(
        started=lambda name, reason: told.append(f"{name}: {reason}"),
        ended=lambda result: told.append(f"{result.name} {result.status}"),
    )
    for name in ("get", "learn"):
        toy.pipeline(listener=listener).run(selected=(name,), tear_down=False)
    assert told == ["get: never ran", "get run", "learn: never ran", "learn run"]
    told.clear()
    toy.fail["ask"] = DataError("Bad.")
    toy.pipeline(listener=listener).run(selected=("get", "learn", "ask"), tear_down=False)
    assert told == ["get skipped", "learn skipped", "ask: never ran", "ask failed"]


def with_stage(toy: Toy, name: str, **changes: Any) -> tuple[Stage, ...]:
    return tuple(replace(stage, **changes) if stage.name == name else stage for stage in toy.stages())


def test_a_forced_stage_runs_once_and_alone_if_its_content_stays(toy: Toy) -> None:
    toy.run()
    toy.run(forced=("get",))
    assert toy.ran == ["get"]


def test_a_plan_has_the_forced_stages_and_names_those_that_are_not_selected(toy: Toy) -> None:
    toy.run()
    plan = toy.pipeline().plan(forced=("get",), selected=("get", "learn"))
    assert [(step.stage, step.action, step.reason) for step in plan.steps] == [
        ("get", "run", "asked for with --force"),
        ("learn", "run", "after get"),
        ("host", "skip", "not selected"),
        ("ask", "skip", "not selected"),
        ("end", "skip", "not selected"),
    ]


def test_a_forced_stage_that_is_not_selected_does_not_run(toy: Toy) -> None:
    toy.run()
    assert statuses(toy.run(forced=("get", "end"), selected=("learn",), tear_down=False)) == {"learn": "skipped"}
    assert toy.ran == []


def test_a_teardown_that_is_asked_for_runs_with_nothing_open_but_not_after_a_failure(toy: Toy) -> None:
    toy.run()
    (end,) = toy.run(selected=("end",), forced=("end",), tear_down=False).stages
    assert (end.status, end.reason) == ("run", "asked for")
    toy.fail["get"] = DataError("Bad.")
    assert statuses(toy.run(forced=("get", "end"), tear_down=False)) == {"get": "failed"}


def test_the_reasons_and_times_of_a_run_are_in_its_result(toy: Toy) -> None:
    result = toy.run()
    assert [stage.reason for stage in result.stages] == [
        "never ran", "never ran", "for ask", "never ran", "after host",
    ]  # fmt: skip
    assert all(0 <= stage.seconds < 60 for stage in result.stages)
    toy.fail["get"] = DataError("Bad.", hint="Mend it.")
    (failed,) = toy.run(forced=("get",), selected=("get",), tear_down=False).stages
    assert (failed.status, failed.reason) == ("failed", "Bad. Mend it.")
    assert 0 <= failed.seconds < 60
    (skipped,) = toy.run(selected=("learn",), tear_down=False).stages
    assert (skipped.reason, skipped.seconds) == ("up to date", 0.0)


def test_a_teardown_after_a_failure_spares_a_job_and_one_after_a_success_does_not(toy: Toy) -> None:
    spared: list[frozenset[str]] = []

    def end(context: Context) -> Outcome:
        spared.append(context.spared)
        for record in context.journal.read().open_resources():
            context.journal.append("gone", stage="end", fingerprint="f", resource=record["resource"])
        return Outcome()

    stages = with_stage(toy, "end", run=end)
    assert toy.pipeline(stages=stages).run().error is None
    toy.fail["ask"] = DataError("Bad.")
    toy.pipeline(stages=stages).run(forced=("ask",))
    assert spared == [frozenset(), frozenset({"training-job", "transform-job", "processing-job"})]


def test_a_deletion_that_cannot_be_recorded_is_not_open_in_the_result(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    append = journal_module._append_line

    def refuse_the_end(path: Path, line: bytes) -> Any:
        if b'"event":"gone"' in line:
            raise OSError(errno.ENOSPC, "No space left on device")
        return append(path, line)

    monkeypatch.setattr(journal_module, "_append_line", refuse_the_end)
    result = toy.run()
    assert isinstance(result.error, DataError)
    assert result.open == {}


def test_without_a_readable_journal_a_teardown_that_fails_proves_nothing(toy: Toy) -> None:
    (toy.directory / "journal.jsonl").mkdir(parents=True)
    toy.fail["end"] = LeakError("Still there.")
    result = toy.run(selected=("end",))
    assert statuses(result) == {"end": "failed"}
    assert result.open is None


def test_a_stage_alone_is_up_to_date_though_one_that_is_not_selected_would_run(toy: Toy) -> None:
    toy.run()
    (toy.directory / "get" / "out").unlink()
    result = toy.run(selected=("learn",), tear_down=False)
    assert (result.error, statuses(result)) == (None, {"learn": "skipped"})


@pytest.mark.parametrize("tears_down", [True, False])
def test_without_a_readable_journal_only_a_teardown_proves_that_nothing_is_open(toy: Toy, tears_down: bool) -> None:
    (toy.directory / "journal.jsonl").mkdir(parents=True)
    stages = with_stage(toy, "end", run=lambda _: Outcome())
    result = toy.pipeline(stages=stages).run(selected=("end",), tear_down=tears_down)
    assert statuses(result) == ({"end": "run"} if tears_down else {})
    assert result.open == ({} if tears_down else None)


def test_a_signal_during_the_teardown_waits_and_is_reported_after_it(toy: Toy) -> None:
    def end(context: Context) -> Outcome:
        signal.raise_signal(signal.SIGTERM)
        return toy.work("end")(context)

    result = toy.pipeline(stages=with_stage(toy, "end", run=end)).run()
    assert toy.ran[-1] == "end"
    assert isinstance(result.error, InterruptedRunError)
    assert "its teardown was completed" in result.error.what
    assert "asteroid-ll status" in result.error.hint
    assert result.open == {}


def test_a_run_stops_at_the_next_stage_if_a_signals_exception_was_swallowed(toy: Toy) -> None:
    def learn(context: Context) -> Outcome:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return toy.work("learn")(context)

    result = toy.pipeline(stages=with_stage(toy, "learn", run=learn)).run()
    assert toy.ran == ["get", "learn"]
    assert isinstance(result.error, InterruptedRunError)
    assert "asteroid-ll run-all" in result.error.hint


def test_a_swallowed_signal_in_the_last_stage_is_reported_too(toy: Toy) -> None:
    def ask(context: Context) -> Outcome:
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGTERM)
        return toy.work("ask")(context)

    stages = tuple(stage for stage in with_stage(toy, "ask", run=ask) if stage.name != "end")
    assert isinstance(toy.pipeline(stages=stages).run().error, InterruptedRunError)


def test_a_listener_of_a_teardown_may_fail_and_one_of_another_stage_may_not(toy: Toy) -> None:
    heard: list[str] = []

    def fail(name: str, *_: object) -> None:
        if name == failing:
            heard.append(name)
            raise OSError("the terminal is closed")

    def end(context: Context) -> Outcome:
        context.progress("deleting")
        return toy.work("end")(context)

    listener = Listener(started=fail, progress=fail, ended=lambda result: fail(result.name))
    stages = with_stage(toy, "end", run=end)
    failing = "end"
    assert toy.pipeline(stages=stages, listener=listener).run().error is None
    assert heard == ["end"] * 3
    failing = "get"
    with pytest.raises(OSError, match="closed"):
        toy.pipeline(stages=stages, listener=listener).run(forced=("get",))


def test_a_failure_is_heard_without_secrets_and_a_bug_with_its_type(toy: Toy) -> None:
    reasons: list[str] = []
    toy.fail["get"] = ZeroDivisionError("at https://host/?api_key=canary")
    with pytest.raises(ZeroDivisionError):
        toy.pipeline(listener=Listener(ended=lambda result: reasons.append(result.reason))).run()
    assert reasons[0].startswith("ZeroDivisionError: at https://host/")
    assert "canary" not in reasons[0]


def test_a_full_disk_is_an_expected_failure_with_its_cause(toy: Toy) -> None:
    toy.fail["get"] = OSError(errno.ENOSPC, "No space left on device")
    result = toy.run()
    assert isinstance(result.error, DataError)
    assert result.error.__cause__ is toy.fail["get"]
    assert statuses(result) == {"get": "failed"}


def test_a_record_has_the_identity_and_the_settings_of_its_stage_without_secrets(toy: Toy) -> None:
    def get(context: Context) -> Outcome:
        return replace(toy.work("get")(context), identity="content")

    stages = with_stage(toy, "get", run=get, version=3, settings=lambda _: {"url": "https://host/?api_key=canary"})
    pipeline = toy.pipeline(stages=stages)
    pipeline.run()
    done = pipeline.snapshot().done
    assert (done["get"].identity, done["get"].version) == ("content", 3)
    assert done["learn"].inputs == {"get": "content"}
    assert done["learn"].identity == digest(done["learn"].outputs)
    assert set(done) == {"get", "learn", "ask"}
    assert "url" in done["get"].settings
    assert "canary" not in str(done["get"].settings)
    assert set(statuses(toy.pipeline(stages=stages).run()).values()) == {"skipped"}


def test_an_output_outside_is_verified_once_in_a_run_and_only_if_it_is_needed(toy: Toy) -> None:
    verified: list[str] = []

    def stages() -> tuple[Stage, ...]:
        def verifying(name: str) -> Callable[[Context], None]:
            return lambda context: verified.append(f"{name} {context.path('x').name}")

        return tuple(replace(stage, verify=verifying(stage.name)) for stage in toy.stages())

    toy.run()
    toy.pipeline(stages=stages()).run()
    assert verified == []
    toy.pipeline(stages=stages()).run(forced=("learn", "ask"))
    assert verified == ["get x", "learn x"]


def test_a_stage_that_is_selected_alone_names_the_commands_that_make_its_inputs(toy: Toy) -> None:
    error = toy.run(selected=("learn",), tear_down=False).error
    assert isinstance(error, ConfigError)
    assert error.hint == "asteroid-ll get   or   asteroid-ll run-all --until learn"
    assert error.context == {"stage": "get"}
    with pytest.raises(ConfigError):
        toy.pipeline().context("learn")


def test_a_context_for_reading_is_that_of_the_stage(toy: Toy) -> None:
    toy.run()
    pipeline = toy.pipeline()
    context = pipeline.context("learn")
    assert context.fingerprint == pipeline.snapshot().done["learn"].fingerprint
    assert context.inputs == pipeline.snapshot().done["learn"].inputs
    assert context.run == "toy-00000000"
    context.progress("nothing is shown")


class Connection:
    """A session that counts its openings and closings."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def open(self) -> Any:
        self.events.append("opened")
        return self

    def close(self) -> None:
        self.events.append("closed")


def test_a_session_is_opened_once_and_only_if_a_stage_needs_it_and_is_closed(toy: Toy) -> None:
    connection = Connection()

    def learn(context: Context) -> Outcome:
        assert context.connect() is context.connect()
        return toy.work("learn")(context)

    unused = toy.pipeline(connect=connection.open)
    unused.run(selected=("get",), tear_down=False)
    unused.close()
    assert connection.events == []
    used = toy.pipeline(connect=connection.open, stages=with_stage(toy, "learn", run=learn))
    used.run(selected=("learn",), tear_down=False)
    used.close()
    assert connection.events == ["opened", "closed"]


@pytest.mark.parametrize(("draws", "figures", "starts"), [(True, True, 1), (True, False, 0), (False, True, 0)])
def test_the_process_that_draws_runs_from_the_first_stage_to_the_end_if_a_stage_will_draw(
    toy: Toy, draws: bool, figures: bool, starts: int
) -> None:
    during: list[list[str]] = []

    def get(context: Context) -> Outcome:
        during.append(_children())
        for _ in range(3):
            context.idle()  # a toy has no module to import
        return toy.work("get")(context)

    stages = with_stage(toy, "get", run=get)
    stages = tuple(replace(stage, draws=draws and stage.name == "ask") for stage in stages)
    config = Config().model_copy(update={"report": Config().report.model_copy(update={"figures": figures})})
    before = _children()
    for _ in range(2):  # the second run is up to date
        pipeline = toy.pipeline(stages=stages, config=config)
        assert pipeline.run().error is None
        pipeline.close()
        assert _children() == before
    assert len(during) == 1
    assert len(set(during[0]) - set(before)) == starts


def _children() -> list[str]:
    return Path(f"/proc/self/task/{os.getpid()}/children").read_text(encoding="ascii").split()


def test_an_account_that_does_not_exist_yet_has_nothing_open_and_is_not_created(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(billing, "open_resources", lambda _: ["rocks"])
    connect = Connection().open
    assert toy.pipeline().open_resources() == []
    assert not toy.directory.exists()
    on_aws = Config().model_copy(update={"target": "aws"})
    assert toy.pipeline(config=on_aws, connect=connect).open_resources() == ["rocks"]
    toy.directory.mkdir()
    assert toy.pipeline(connect=connect).open_resources() == ["rocks"]


def test_a_run_on_an_account_with_nothing_open_names_what_others_have_left_beyond_its_time(
    toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers: list[list[OpenResource]] = []

    def open_resources(_: object) -> list[OpenResource]:
        if not answers:
            raise AwsError("SageMaker refused.")
        return answers.pop()

    def notes(target: str) -> list[str]:
        heard: list[str] = []
        config = Config().model_copy(update={"target": target})
        result = toy.pipeline(config=config, connect=Connection().open, listener=Listener(note=heard.append)).run()
        assert result.error is None
        return heard

    def resource(run: str, *, expires_s: float | None = 0.0) -> OpenResource:
        return OpenResource("endpoint", "rocks", "arn", "us-east-1", "InService", None, 1, 0.0, None, expires_s, run)

    monkeypatch.setattr(billing, "open_resources", open_resources)
    assert notes("aws") == []  # its teardown had work
    assert notes("aws") == ["Whether another run has expired resources is unknown: SageMaker refused."]
    assert notes("emulator") == []
    fresh = resource("new-22222222", expires_s=None)
    ours = replace(resource("toy-00000000"), kind="training-job")
    answers.append([ours, resource("other-11111111"), fresh])
    (note,) = notes("aws")
    assert re.fullmatch(r"1 endpoint of another run expired [0-9.]+ d ago:   asteroid-ll sweep --expired", note)


def test_a_result_that_a_skipped_stage_has_lost_or_never_had_is_empty(toy: Toy) -> None:
    toy.run()
    stages = with_stage(toy, "ask", result="ask/lost")
    result = toy.pipeline(stages=stages).run()
    assert (result.error, result.metrics, result.findings) == (None, {}, ())


def price_of(**changed: Any) -> Any:
    config = Config.model_validate({"target": "aws", "role_arn": "arn:aws:iam::111122223333:role/x", **changed})
    return worst_case(config, {})


def test_a_price_above_the_cap_stops_the_run_before_its_first_stage(toy: Toy) -> None:
    get, learn, *others = toy.stages()
    notes: list[str] = []
    pipeline = toy.pipeline(
        stages=(get, replace(learn, is_priced=True), *others),
        config=Config.model_validate({"cost": {"max_usd": 0.1}}),
        listener=Listener(note=notes.append),
        worst_case=price_of,
    )
    result = pipeline.run()
    assert isinstance(result.error, ConfigError)
    assert toy.ran == []
    assert notes[0].startswith("Price: at most 0.17 USD")
    assert result.price is not None
    assert result.price["cap_usd"] == 0.1


def test_a_price_is_asked_for_only_if_a_priced_stage_runs_and_once(toy: Toy) -> None:
    get, learn, *others = toy.stages()
    asked: list[int] = []

    def find() -> Any:
        asked.append(1)
        return price_of()

    def run(**more: Any) -> RunResult:
        pipeline = toy.pipeline(stages=(get, replace(learn, is_priced=True), *others), worst_case=find)
        return pipeline.run(**more)

    assert run(selected=("get",), tear_down=False).price is None
    assert asked == []
    assert run().price is not None
    assert asked == [1]
    assert run().price is None
    assert asked == [1]


class Preflight:
    """Records what the account is checked for."""

    def __init__(self, error: AwsError | None = None) -> None:
        self.seen: list[tuple[Any, float | None, list[str]]] = []
        self._error = error

    def __call__(self, aws: Any, price: Any, stages: Any) -> None:
        self.seen.append((aws, price.total_usd, list(stages)))
        if self._error is not None:
            raise self._error


def checked(toy: Toy, preflight: Preflight) -> Pipeline:
    """A pipeline whose second stage has a price, and so a preflight."""
    get, learn, *others = toy.stages()
    return toy.pipeline(
        stages=(get, replace(learn, is_priced=True), *others),
        worst_case=price_of,
        connect=Connection().open,
        preflight=preflight,
    )


def test_the_account_is_checked_once_before_the_first_stage_and_only_if_something_is_to_be_paid(toy: Toy) -> None:
    preflight = Preflight()
    assert checked(toy, preflight).run(selected=("get",), tear_down=False).error is None
    assert preflight.seen == []
    assert checked(toy, preflight).run().error is None
    ((aws, usd, stages),) = preflight.seen
    assert isinstance(aws, Connection)
    assert usd == pytest.approx(0.1695)
    assert stages == ["learn", "host", "ask", "end"]
    assert checked(toy, preflight).run().error is None
    assert len(preflight.seen) == 1


def test_a_failed_check_stops_the_run_but_not_the_teardown_of_what_is_open(toy: Toy) -> None:
    preflight = Preflight(AwsError("The quota is 0."))
    result = checked(toy, preflight).run()
    assert str(result.error) == "The quota is 0."
    assert toy.ran == []
    kept = toy.pipeline().run(selected=("get", "learn", "host"), forced=("host",), tear_down=False)
    assert kept.open == {"endpoint-1": "endpoint"}
    toy.ran.clear()
    result = checked(toy, preflight).run(forced=("learn",))
    assert str(result.error) == "The quota is 0."
    assert (toy.ran, result.open) == (["end"], {})


def test_a_plan_has_its_price_and_the_cap_beside_it(toy: Toy) -> None:
    get, learn, *others = toy.stages()
    stages = (get, replace(learn, is_priced=True), *others)
    config = Config.model_validate({"cost": {"max_usd": 0.1}})
    pipeline = toy.pipeline(stages=stages, config=config, worst_case=price_of)
    price = pipeline.price_of(pipeline.plan())
    assert price is not None
    assert price.total_usd == pytest.approx(0.1695)
    assert pipeline.max_usd == 0.1


def test_a_result_has_the_bill_unless_a_file_of_it_is_damaged(toy: Toy) -> None:
    bill = toy.run().bill
    assert bill is not None
    assert bill["worst_case_usd"] == pytest.approx(0.1695)
    job = toy.directory / paths.JOB
    job.parent.mkdir(parents=True, exist_ok=True)
    for damaged in ("{", '{"billable_s": "x"}'):
        job.write_text(damaged)
        result = toy.run()
        assert (result.bill, result.error) == (None, None)
