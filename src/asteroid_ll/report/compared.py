"""Run directories side by side: their configurations, scores, training curves, costs and times."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from string import ascii_uppercase
from typing import Any

from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.evaluation.paired import Difference, ScoredRows, difference, read_scored_rows
from asteroid_ll.linear_learner import log_reader
from asteroid_ll.redaction import redacted
from asteroid_ll.report.bill import bill_of
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json
from asteroid_ll.run.identity import Identity, differences, read_identity
from asteroid_ll.run.journal import Journal
from asteroid_ll.run.usage import Usage

MOST_RUNS = len(ascii_uppercase)


@dataclass(frozen=True)
class ComparedRun:
    """A run directory as it is; what it lacks is None or empty.

    Attributes:
        letter: its name in the comparison, from ``A``.
        directory: the run directory.
        identity: its identity.
    """

    letter: str
    directory: Path
    identity: Identity

    @cached_property
    def scores(self) -> Mapping[str, Any]:
        """The model's scores on the test part by name; empty before the prediction."""
        path = self.directory / paths.METRICS
        scores: Mapping[str, Any] = read_json(path)["metrics"]["scores"]["model"] if path.is_file() else {}
        return scores

    @cached_property
    def rows(self) -> ScoredRows | None:
        """The test rows with the model's answers."""
        path = self.directory / paths.PREDICTIONS
        return read_scored_rows(path) if path.is_file() else None

    @cached_property
    def history(self) -> log_reader.JobHistory | None:
        """The losses of every model from the job's log; None if it has none."""
        path = self.directory / paths.JOB_LOG
        try:
            return log_reader.read_log(path.read_text(encoding="utf-8")) if path.is_file() else None
        except DataError:
            return None

    @cached_property
    def usage(self) -> Mapping[str, Usage]:
        """Time and memory of each stage by name."""
        done = Journal(self.directory / paths.JOURNAL).read().done
        return {name: record["usage"] for name, record in done.items() if "usage" in record}

    @cached_property
    def bill(self) -> Mapping[str, Any] | None:
        """The cost of the job and the endpoint; None if this version cannot read the configuration."""
        try:
            config = Config.model_validate(self.identity.config)
        except ValueError:
            return None
        journal = Journal(self.directory / paths.JOURNAL)
        journal.origin = self.identity.origin
        return bill_of(self.directory, config, journal.read())

    @property
    def usd(self) -> float | None:
        """The cost; on the emulator, that on AWS. None if it is unknown."""
        return None if self.bill is None else self.bill["usd"]


@dataclass(frozen=True)
class Comparison:
    """Two or more runs; the first is the one that the others are compared with.

    Attributes:
        runs: the runs.
    """

    runs: tuple[ComparedRun, ...]

    @property
    def first(self) -> ComparedRun:
        """The run that the others are compared with."""
        return self.runs[0]

    @cached_property
    def settings(self) -> dict[str, list[object]]:
        """The settings that differ: the value of each run, by dotted key. Secrets are masked."""
        first, *others = (redacted(run.identity.config) for run in self.runs)
        found = [{item.key: item for item in differences(first, other)} for other in others]
        keys = dict.fromkeys(key for items in found for key in items)
        own = {key: item.value for items in found for key, item in items.items()}
        return {key: [own[key], *(items[key].other if key in items else own[key] for items in found)] for key in keys}

    @cached_property
    def metrics(self) -> dict[str, list[float]]:
        """The scores that all runs have: the value of each run, by name."""
        common = [name for name in self.first.scores if all(_is_number(run.scores.get(name)) for run in self.runs)]
        return {name: [run.scores[name] for run in self.runs] for name in common}

    @cached_property
    def differences(self) -> dict[str, Difference]:
        """The scores of the other runs minus the first one's, by letter, if both have predictions."""
        own = self.first.rows
        if own is None:
            return {}
        return {run.letter: difference(run.rows, own) for run in self.runs[1:] if run.rows is not None}

    def to_json(self) -> dict[str, Any]:
        """Return everything by name as JSON values; the runs go by their letters in lower case."""
        letters = [run.letter.lower() for run in self.runs]
        return {
            "runs": [run.identity.run for run in self.runs],
            "configuration": [
                {"key": key, **dict(zip(letters, values, strict=True))} for key, values in self.settings.items()
            ],
            "metrics": {name: dict(zip(letters, values, strict=True)) for name, values in self.metrics.items()},
            "differences": [
                {"run": letter.lower(), "minus": "a", **item.to_json()} for letter, item in self.differences.items()
            ],
            "usd": {run.letter.lower(): run.usd for run in self.runs},
            "usage": {run.letter.lower(): dict(run.usage) for run in self.runs},
        }


def compare(directories: Sequence[Path]) -> Comparison:
    """Return the comparison of run directories.

    Raises:
        DataError: one of them has no stored configuration, or is damaged.
    """
    runs = []
    for letter, directory in zip(ascii_uppercase, directories, strict=False):
        identity = read_identity(directory)
        if identity is None:
            raise DataError(
                f"{directory} has no stored configuration.",
                hint="asteroid-ll runs list   shows the run directories below this folder.",
            )
        runs.append(ComparedRun(letter, directory, identity))
    return Comparison(tuple(runs))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
