"""Every signal that can be caught: exit code 130, a teardown, and the last lines name what is still billed."""

from __future__ import annotations

import os
import random
import signal
import subprocess

import pytest

FROM_DEPLOY = (
    "s3:HeadObject",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker-runtime:InvokeEndpoint",
)
INTERRUPTED = 130
LEFT = 6
EXHAUSTIVE = os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
def test_an_interrupted_wait_names_the_job_and_how_to_stop_it(prepared, finished_once, number):
    prepared.configure(training_starting_s=60.0)
    with prepared.start("run-all") as command:
        for line in command.stderr:
            if line.startswith("train"):
                break
        command.send_signal(number)
        out, err = command.communicate(timeout=60)
    (name,) = prepared.names("training-job")
    assert command.returncode == INTERRUPTED
    assert f"Interrupted. Training job {name} is still running" in err
    assert "asteroid-ll teardown" in err
    assert f"Bill: open, and billing until   asteroid-ll teardown\n  {name}" in out
    assert "Traceback" not in err
    assert prepared.status_of("training-job", name) == "InProgress"
    assert prepared.run("teardown").code == 0
    assert prepared.open_intervals() == []


@pytest.mark.parametrize("phase", ["before", "after"])
def test_an_interrupted_create_names_the_job_too(prepared, finished_once, workbench, phase):
    ended = prepared.run("run-all", "--json", faults=f"sagemaker:CreateTrainingJob:1:{phase}:sigint")
    assert ended.code == INTERRUPTED
    name = ended.json["billing"]["open"][0]["name"]
    assert workbench.by_content([name]) == workbench.by_content(finished_once.names("training-job"))
    assert name in ended.json["error"]["what"]
    assert ended.json["billing"]["open"] == [{"kind": "training-job", "name": name}]
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert prepared.names("training-job") == [name]
    assert prepared.metrics() == finished_once.metrics()


def test_an_interrupted_wait_is_taken_up_by_the_next_run(prepared, finished_once):
    assert prepared.run("run-all", faults="sagemaker:DescribeTrainingJob:3:before:sigint").code == INTERRUPTED
    again = prepared.run("run-all", "--json")
    assert again.code == 0, again.err
    assert again.status_of("train") == "adopted"
    assert prepared.metrics() == finished_once.metrics()
    assert prepared.open_intervals() == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("kind", ["sigint", "sigterm"])
@pytest.mark.parametrize("call", FROM_DEPLOY)
def test_an_interruption_from_the_deployment_on_ends_with_teardown(trained, call, kind):
    ended = trained.run("run-all", "--json", faults=f"{call}:1:after:{kind}")
    assert ended.code == INTERRUPTED
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert ended.json["error"]["what"].startswith("Interrupted")
    assert trained.open_intervals() == []
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


SIGNALS = ("sighup", "sigquit", "sigusr1", "sigusr2", "sigalrm", "sigxcpu")


@pytest.mark.one_in(5)
@pytest.mark.parametrize("kind", SIGNALS)
def test_every_other_signal_ends_with_teardown_too(trained, kind):
    ended = trained.run("run-all", "--json", faults=f"sagemaker:CreateEndpoint:1:after:{kind}")
    assert ended.code == INTERRUPTED, ended.err
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


@pytest.mark.one_in(5)
@pytest.mark.parametrize("kind", ["SIGTERM", "SIGINT", "SIGHUP"])
def test_a_signal_right_after_the_line_of_the_deployment_ends_with_teardown(trained, kind):
    ended = trained.run("run-all", "--json", signal_at_line=("deploy", kind))
    assert ended.code == INTERRUPTED, ended.err
    assert ended.status_of("deploy") == "run"
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("kind", ["sigint", "sigterm", "sighup"])
@pytest.mark.parametrize("call", ["DeleteEndpoint:1:before", "DeleteModel:1:after"])
def test_a_signal_does_not_cut_the_teardown_short(trained, call, kind):
    ended = trained.run("run-all", "--json", faults=f"sagemaker:{call}:{kind}")
    assert ended.code == INTERRUPTED, ended.err
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert ("Another Ctrl-C leaves it" in ended.err) == (kind == "sigint")
    assert trained.open_intervals() == []
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


def test_signals_during_a_teardown_that_follows_an_interruption_do_not_cut_it_short_either(trained):
    faults = "sagemaker-runtime:InvokeEndpoint:1:before:sighup;sagemaker:DeleteEndpoint:1:before:sigint"
    ended = trained.run("run-all", "--json", faults=f"{faults};sagemaker:DeleteModel:1:before:sigterm")
    assert ended.code == INTERRUPTED, ended.err
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []


@pytest.mark.one_in(5)
@pytest.mark.parametrize("command", ["run-all", "teardown"])
@pytest.mark.parametrize("second", ["DeleteModel:1:before", "ListEndpoints:1:after"])
def test_a_second_ctrl_c_leaves_the_teardown_and_names_what_is_left(trained, workbench, command, second):
    if command == "teardown":
        assert trained.run("run-all", "--keep").code == 0
    faults = f"sagemaker:DeleteEndpoint:1:before:sigint;sagemaker:{second}:sigint"
    ended = trained.run(command, "--json", faults=faults)
    assert ended.code == LEFT, ended.err
    workbench.assert_one_sentence(ended)
    (resource,) = ended.json["billing"]["open"]
    assert resource["name"] in ended.json["error"]["what"]
    assert trained.run("teardown").code == 0
    assert trained.open_intervals() == []


def test_a_closed_terminal_does_not_stop_the_teardown(trained, workbench):
    """The terminal's end sends SIGHUP, and every write to it fails from then on."""
    ours, theirs = os.openpty()
    streams = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
    command = ("setsid", "--ctty", *workbench.COMMAND, "run-all", "-c", "small.yaml")
    with subprocess.Popen(command, cwd=trained.folder, env=workbench.environment(), **streams) as process:
        os.close(theirs)
        seen = b""
        while b"predict" not in seen:
            seen += os.read(ours, 4096)
        os.close(ours)
        assert process.wait(timeout=60) == INTERRUPTED
    assert trained.open_intervals() == []
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


def test_a_run_that_fails_early_deletes_the_endpoint_of_a_crashed_one(trained):
    assert trained.run("run-all", faults="sagemaker-runtime:InvokeEndpoint:1:before:kill").code == -9
    (trained.folder / "asteroids.csv").unlink()
    ended = trained.run("run-all", "--json")
    assert ended.code == 3, ended.err
    assert "asteroids.csv" in ended.json["error"]["what"]
    assert ended.status_of("teardown") == "run"
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []


def test_an_endpoint_of_an_earlier_run_goes_and_the_interrupted_job_continues(trained):
    assert trained.run("run-all", "--keep").code == 0
    trained.configure(training_starting_s=60.0)
    trained.edit("epochs: 2", "epochs: 3")
    ended = trained.run("run-all", "--json", faults="sagemaker:DescribeTrainingJob:3:before:sighup")
    assert ended.code == INTERRUPTED, ended.err
    (job,) = [name for name in trained.names("training-job") if name in ended.json["error"]["what"]]
    assert trained.status_of("training-job", job) == "InProgress"
    assert ended.json["billing"]["open"] == [{"kind": "training-job", "name": job}]
    assert [interval.kind for interval in trained.open_intervals()] == ["training"]
    assert trained.names("endpoint") == []
    assert trained.run("teardown").code == 0


@pytest.mark.parametrize("seed", range(60 if EXHAUSTIVE else 3))
def test_a_signal_at_any_moment_from_the_deployment_on_ends_with_teardown(trained, seed):
    """Between any two calls of Python functions, not only at calls to AWS."""
    dice = random.Random(seed)
    moment = (dice.choice(("deploy", "deploy", "predict", "report")), int(10 ** dice.uniform(0, 4.7)))
    kind = dice.choice(("SIGHUP", "SIGTERM", "SIGINT", "SIGQUIT"))
    ended = trained.run("run-all", "--json", signal_at_call=(*moment, kind))
    assert ended.code in (0, INTERRUPTED), (moment, kind, ended.err)
    assert "Traceback" not in ended.err
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []
    assert [trained.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []]


def test_an_interruption_between_two_stages_ends_with_teardown_too(trained):
    ended = trained.run("run-all", "--json", interrupt_before="predict")
    assert ended.code == INTERRUPTED
    assert ended.json["billing"] == {"open": []}
    assert trained.open_intervals() == []


def test_an_interruption_of_a_local_stage_leaves_nothing_to_mend(place, finished_once):
    ended = place.run("run-all", interrupt_before="split")
    assert ended.code == INTERRUPTED
    assert "Error: Interrupted." in ended.err
    assert place.run("run-all").code == 0
    assert place.metrics() == finished_once.metrics()
