from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from asteroid_ll.cli.outcomes import finish
from asteroid_ll.errors import AwsError, LeakError
from asteroid_ll.pipeline.results import RunResult, StageResult

FAILURE = AwsError("Job x failed: AlgorithmError: , exit code: 137", hint="Set 'training.instance_type'. Run it again.")


@pytest.mark.parametrize("error", [FAILURE, LeakError("Something is left.", hint="teardown")])
def test_a_failure_is_printed_once(error: Any, capsys: pytest.CaptureFixture[str]) -> None:
    result = RunResult(Path("run"), (StageResult("train", "failed", str(FAILURE), 1.0),), error=error)
    options: Any = SimpleNamespace(as_json=False)
    with pytest.raises(SystemExit):
        finish("train", options, result)
    assert capsys.readouterr().err.count("exit code: 137") == 1
