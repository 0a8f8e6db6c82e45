"""Decides which stages run, and why: a pure function of the settings, the journal and the state of the outputs.

``run-all``, a single stage, ``--dry-run`` and ``plan --json`` all use the same `Plan`. Fingerprints contain content
only (input digests, the settings that a stage reads, its version), never a time or a place. A rerun in another folder
or on another day therefore recognises finished work.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from asteroid_ll.redaction import redacted
from asteroid_ll.stages.stage import Settings, Stage

Action = Literal["run", "skip"]


@dataclass(frozen=True)
class Done:
    """The journal's record of a finished stage.

    Attributes:
        fingerprint: digest of the stage's name, version, settings and inputs.
        version: the stage's version at that time.
        settings: the settings it read.
        inputs: identity of each needed stage's outputs and of each external input, by name.
        outputs: sha256 of each file it wrote, by path relative to the run directory.
        identity: digest of the outputs; part of the fingerprints of the stages that need it.
    """

    fingerprint: str
    version: int
    settings: Settings
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
    identity: str


@dataclass(frozen=True)
class Snapshot:
    """The state that a plan is made from.

    Attributes:
        done: the last success of each stage.
        problems: a sentence by stage whose outputs are missing or changed.
        outdated: a sentence by stage whose intact result was written in an older shape.
        external: digests of inputs outside the run directory, by stage and name.
        open: billable resources that were created here and not yet proven gone, kind by name; None if unknown.
    """

    done: Mapping[str, Done] = field(default_factory=dict)
    problems: Mapping[str, str] = field(default_factory=dict)
    outdated: Mapping[str, str] = field(default_factory=dict)
    external: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    open: Mapping[str, str] | None = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One stage of a plan.

    Attributes:
        stage: its name.
        action: run or skip.
        reason: why.
        from_stored: it runs from its own stored outputs, so the transient stages that it uses need not run.
    """

    stage: str
    action: Action
    reason: str
    from_stored: bool = False


@dataclass(frozen=True)
class Plan:
    """The steps of all stages, in order."""

    steps: tuple[Step, ...]

    def __getitem__(self, stage: str) -> Step:
        return next(step for step in self.steps if step.stage == stage)

    def runs(self, stage: str) -> bool:
        """Return whether the stage would run."""
        return self[stage].action == "run"


def digest(value: object) -> str:
    """Return the sha256, hexadecimal, of a JSON value in canonical form (sorted keys, no blanks)."""
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def inputs_of(stage: Stage, snapshot: Snapshot) -> dict[str, str]:
    """Return the identity of everything that the stage reads, by name; its needs must all be done."""
    inputs = {need: snapshot.done[need].identity for need in stage.needs}
    return inputs | dict(snapshot.external.get(stage.name, {}))


def fingerprint_of(stage: Stage, settings: Settings, inputs: Mapping[str, str]) -> str:
    """Return the sha256, hexadecimal, of the stage's name, version, settings and inputs."""
    return digest({"stage": stage.name, "version": stage.version, "settings": settings, "inputs": inputs})


def plan(
    stages: Sequence[Stage],
    settings: Mapping[str, Settings],
    *,
    snapshot: Snapshot,
    forced: Collection[str] = (),
    selected: Collection[str] | None = None,
) -> Plan:
    """Decide for each stage whether it would run.

    Args:
        stages: all stages, in order; a stage comes after those it needs.
        settings: the settings of each stage, by its name.
        snapshot: the journal and the state of the outputs.
        forced: stages to run even if they are up to date.
        selected: stages that may run; None for all.

    Returns:
        A step for every stage, in the same order.
    """
    steps: dict[str, Step] = {}
    for stage in stages:
        if selected is not None and stage.name not in selected:
            steps[stage.name] = Step(stage.name, "skip", "not selected")
        elif not stage.transient:
            steps[stage.name] = _decide(stage, settings[stage.name], steps, snapshot, forced)
    for stage in stages:
        if stage.name not in steps:
            steps[stage.name] = _decide_transient(stage, stages, steps, snapshot, forced)
    return Plan(tuple(steps[stage.name] for stage in stages))


def _decide(
    stage: Stage, settings: Settings, steps: Mapping[str, Step], snapshot: Snapshot, forced: Collection[str]
) -> Step:
    running = [need for need in stage.needs if need in steps and steps[need].action == "run"]
    if any(need not in snapshot.done for need in stage.needs):
        return Step(stage.name, "run", "never ran")
    inputs = inputs_of(stage, snapshot)
    fingerprint = fingerprint_of(stage, settings, inputs)
    if stage.name in forced:
        return Step(stage.name, "run", "asked for with --force")
    if running:
        return Step(stage.name, "run", f"after {' and '.join(running)}")
    done = snapshot.done.get(stage.name)
    if done is None:
        return Step(stage.name, "run", "never ran")
    if done.fingerprint != fingerprint:
        return Step(stage.name, "run", _difference(stage, settings, inputs, done))
    if stage.name in snapshot.problems:
        return Step(stage.name, "run", snapshot.problems[stage.name])
    if stage.name in snapshot.outdated:
        return Step(stage.name, "run", snapshot.outdated[stage.name], from_stored=True)
    return Step(stage.name, "skip", "up to date")


def _difference(stage: Stage, settings: Settings, inputs: Mapping[str, str], done: Done) -> str:
    changed = [name for name in sorted(inputs) if done.inputs.get(name) != inputs[name]]
    if changed:
        return f"new input from {', '.join(changed)}"
    if done.version != stage.version:
        return f"stage version {stage.version}, was {done.version}"
    for name, value in sorted(flatten(settings).items()):
        before = redacted(flatten(done.settings).get(name))
        if before != value:
            return f"{name} is {value!r}, was {before!r}"
    removed = sorted(set(flatten(done.settings)) - set(flatten(settings)))
    return f"{', '.join(removed)} no longer set" if removed else "other settings"


def flatten(settings: Settings, *, prefix: str = "") -> dict[str, object]:
    """Return a nested mapping as one level of dotted keys."""
    flat: dict[str, object] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, prefix=f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def _decide_transient(
    stage: Stage, stages: Sequence[Stage], steps: Mapping[str, Step], snapshot: Snapshot, forced: Collection[str]
) -> Step:
    if stage.name in forced:
        return Step(stage.name, "run", "asked for")
    if stage.undoes:
        undone = [name for name in stage.undoes if name in steps and steps[name].action == "run"]
        if snapshot.open is None:
            return Step(stage.name, "run", "the journal was lost")
        if snapshot.open:
            return Step(stage.name, "run", still_open(snapshot.open))
        if undone:
            return Step(stage.name, "run", f"after {' and '.join(undone)}")
        return Step(stage.name, "skip", "nothing is open")
    users = [steps[other.name] for other in stages if stage.name in other.uses and other.name in steps]
    waiting = [step.stage for step in users if step.action == "run" and not step.from_stored]
    if waiting:
        return Step(stage.name, "run", f"for {' and '.join(waiting)}")
    return Step(stage.name, "skip", "nothing needs it")


def still_open(resources: Mapping[str, str]) -> str:
    """Return why the teardown runs, given the kinds of the open resources by name; a model is not billed."""
    billed = [name for name, kind in resources.items() if kind != "model"]
    return f"{', '.join(billed)} may still bill" if billed else f"{', '.join(resources)} is still there"
