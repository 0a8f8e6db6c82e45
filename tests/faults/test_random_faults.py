"""Random sequences of commands and faults, one per seed, each with a clean end.

Three seeds in the default suite, a thousand with ``ASTEROID_LL_EXHAUSTIVE=1``. A failure names its sequence.
"""

from __future__ import annotations

import os
import random

import pytest

N_SEEDS = 1_000 if os.environ.get("ASTEROID_LL_EXHAUSTIVE") == "1" else 3

COMMANDS = (
    ("run-all",),
    ("run-all",),
    ("run-all",),
    ("run-all", "--keep"),
    ("run-all", "--until", "train"),
    ("upload",),
    ("train",),
    ("deploy",),
    ("predict",),
    ("teardown",),
    ("teardown",),
)
CALLS = (
    "sts:GetCallerIdentity",
    "s3:*",
    "s3:PutObject",
    "s3:HeadObject",
    "s3:GetObject",
    "sagemaker:*",
    "sagemaker:CreateTrainingJob",
    "sagemaker:DescribeTrainingJob",
    "sagemaker:CreateModel",
    "sagemaker:CreateEndpointConfig",
    "sagemaker:CreateEndpoint",
    "sagemaker:DescribeEndpoint",
    "sagemaker:DeleteEndpoint",
    "sagemaker:DeleteEndpointConfig",
    "sagemaker:DeleteModel",
    "sagemaker:ListEndpoints",
    "sagemaker:ListTags",
    "sagemaker-runtime:InvokeEndpoint",
    "cloudwatch-logs:GetLogEvents",
)
BEFORE = ("throttle", "500", "503", "connect-refused", "expired-token", "access-denied", "kill", "sigint", "sigterm")
AFTER = ("reset", "read-timeout", "truncated", "500", "kill", "sigint", "sigterm")
WRITTEN = (
    "write asteroid-run/journal.jsonl",
    "fsync asteroid-run/journal.jsonl",
    "write asteroid-run/emulator/objects/BODY",
    "replace asteroid-run/upload/manifest.json",
    "write asteroid-run/train/.temporary-model.tar.gz",
    "replace asteroid-run/train/job.json",
    "write asteroid-run/deploy/.temporary-endpoint.json",
    "replace asteroid-run/predict/metrics.json",
)
EXPECTED = {0, 1, 2, 3, 4, 5, 6, 130, -9}
"""Every exit code of an expected end. A bug exits with 1 too, but with a traceback."""


def _call_fault(dice):
    phase, kinds = dice.choice((("before", BEFORE), ("after", AFTER)))
    nth = dice.choice(("1", "1", "2", "3", "*"))
    return f"{dice.choice(CALLS)}:{nth}:{phase}:{dice.choice(kinds)}"


def _sequence(seed):
    """Return commands, each with its fault."""
    dice = random.Random(seed)
    steps = []
    for _ in range(dice.randint(2, 4)):
        command, happens = dice.choice(COMMANDS), dice.random()
        if happens < 0.6:
            options = {"faults": ";".join(_call_fault(dice) for _ in range(dice.randint(1, 3)))}
        elif happens < 0.75:
            options = {"kill_at_record": (dice.randint(1, 8), dice.choice(("before", "after")))}
        elif happens < 0.95:
            kind = dice.choice(("kill", "kill", "ENOSPC", "EIO"))
            at = f"{dice.choice(WRITTEN)} {dice.randint(1, 3)}"
            options = {"disk": {"at": at, "kind": kind, "lasting": dice.random() < 0.5}}
        else:
            options = {}
        steps.append((command, options))
    return steps


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_after_a_random_sequence_teardown_leaves_nothing_and_a_run_ends_as_if_undisturbed(
    seed, prepared, finished_once
):
    steps = []
    for command, options in _sequence(seed):
        ended = prepared.run(*command, **options)
        steps.append(f"{' '.join(command)} {options}: {ended.code}")
        assert ended.code in EXPECTED, "\n".join([*steps, ended.err])
        assert "Traceback" not in ended.err, "\n".join([*steps, ended.err])
        assert ended.code <= 0 or "Next:  " in ended.err or ended.code == 130, "\n".join([*steps, ended.err])
        prepared.check()
    history = "\n".join(steps)
    torn_down = prepared.run("teardown", "--json")
    assert torn_down.code == 0, "\n".join([history, torn_down.err])
    assert torn_down.json["billing"] == {"open": []}, history
    assert prepared.open_intervals() == [], history
    assert [prepared.names(kind) for kind in ("endpoint", "endpoint-config", "model")] == [[], [], []], history
    again = prepared.run("run-all", "--json")
    assert again.code == 0, "\n".join([history, again.err])
    assert prepared.metrics() == finished_once.metrics(), history
    assert prepared.open_intervals() == [], history
    assert not list(prepared.workdir.rglob(".asteroid-ll-tmp-*")), history
