"""The pipeline for Python programs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll.config import Config
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.pipeline import project
from asteroid_ll.pipeline.api import load_config, run_all
from asteroid_ll.stages.registry import STAGES
from asteroid_ll.stages.stage import Context, Outcome

SMALL = {
    "features": {"n_knots": 4},
    "hyperparameters": {"predictor_type": "binary_classifier", "epochs": 1, "mini_batch_size": 50, "num_models": 2},
    "report": {"figures": False},
}


@pytest.fixture
def small(tmp_path: Path, workbench: Any) -> dict[str, Any]:
    """The sections of a run of a second."""
    (tmp_path / "asteroids.csv").write_text(workbench.small_table(n_rows=200), "utf-8")
    return {**SMALL, "source": {"kind": "csv", "location": str(tmp_path / "asteroids.csv")}}


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Callable[[BaseException], list[str]]:
    """Makes the stage predict raise an error; gives the names of the stages that ran, filled as they run."""

    def make(error: BaseException) -> list[str]:
        ran: list[str] = []

        def work(name: str, run: Callable[[Context], Outcome]) -> Callable[[Context], Outcome]:
            def noted(context: Context) -> Outcome:
                ran.append(name)
                if name == "predict":
                    raise error
                return run(context)

            return noted

        stages = tuple(replace(stage, run=work(stage.name, stage.run)) for stage in STAGES)
        monkeypatch.setattr(project, "stages_of", lambda _config, **_options: stages)
        return ran

    return make


def test_a_run_returns_its_scores_and_paths_and_prints_nothing(
    small: dict[str, Any], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    lines: list[str] = []
    result = run_all(small, workdir=tmp_path / "run", progress=lines.append, split={"seed": 5})
    assert 0 < result.scores["f1"] <= 1
    assert all(path.is_file() for path in (result.artifact, result.predictions, result.report))
    assert result.open == {}
    assert result.error is None
    assert lines[0] == "fetch: started, never ran"
    assert lines[-1].startswith("teardown: run, 3 resources deleted")
    assert capfd.readouterr() == ("", "")
    again = run_all(small, workdir=tmp_path / "run", **{"split.seed": 5})
    assert {stage.status for stage in again.stages} == {"skipped"}
    assert again.scores == result.scores
    assert repr(again) == (
        f"RunResult({str(tmp_path / 'run')!r}, 0 of 11 stages run, F1 {result.scores['f1']:.4f}, nothing open)"
    )


def test_a_failure_is_raised_after_everything_that_bills_was_torn_down(
    small: dict[str, Any], tmp_path: Path, failing: Callable[[BaseException], list[str]]
) -> None:
    ran = failing(DataError("The rows are bad."))
    with pytest.raises(DataError, match="The rows are bad"):
        run_all(small, workdir=tmp_path / "run")
    assert ran[-2:] == ["predict", "teardown"]


def test_an_interrupt_is_raised_as_one_after_everything_that_bills_was_torn_down(
    small: dict[str, Any], tmp_path: Path, failing: Callable[[BaseException], list[str]]
) -> None:
    ran = failing(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt, match="continues the run"):
        run_all(small, workdir=tmp_path / "run")
    assert ran[-2:] == ["predict", "teardown"]


def test_a_bug_keeps_its_type(
    small: dict[str, Any], tmp_path: Path, failing: Callable[[BaseException], list[str]]
) -> None:
    failing(ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError):
        run_all(small, workdir=tmp_path / "run")


@pytest.mark.parametrize(
    "overrides",
    [{"split.seed": 3}, {"split": {"seed": 3}}, {"split": {"seed": 9}, "split.seed": 3}],
    ids=["dotted", "nested", "a-later-one-wins"],
)
def test_overrides_are_dotted_keys_or_sections(overrides: dict[str, Any]) -> None:
    config = load_config(**overrides)
    assert config.split.seed == 3
    assert config.split.test == Config().split.test


def test_files_yield_to_later_files_and_to_overrides(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("split: {seed: 1, test: 0.2}\nfeatures: {n_knots: 5}\n")
    (tmp_path / "b.yaml").write_text("split: {seed: 2}\n")
    config = load_config(tmp_path / "a.yaml", str(tmp_path / "b.yaml"), features={"n_knots": 7})
    assert (config.split.seed, config.split.test, config.features.n_knots) == (2, 0.2, 7)


def test_values_are_pythons_own() -> None:
    config = load_config(
        source={"kind": "csv", "location": Path("a.csv")},
        clean={"export_csv": True},
        hyperparameters={"predictor_type": "binary_classifier", "l1": 1e-7, "use_bias": True},
    )
    assert config.source.location == "a.csv"
    assert config.clean.export_csv is True
    assert config.hyperparameters["l1"] == "1e-07"
    assert config.hyperparameters["use_bias"] == "true"


def test_the_environment_of_the_process_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASTEROID_LL_SPLIT__SEED", "7")
    assert load_config().split.seed == Config().split.seed


def test_every_problem_of_the_arguments_is_named_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(split={"sed": 3}, **{"training.max_runtime_s": 1})
    assert caught.value.what.startswith("The argument has 2 problems.")
    assert "split.sed" in caught.value.what
    assert "training.max_runtime_s" in caught.value.what


@pytest.mark.parametrize("kind", ["file", "files", "mapping", "config"])
def test_a_run_takes_files_a_mapping_or_a_configuration(kind: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("split: {validation: 0.9}\n")
    config: Any = {
        "file": tmp_path / "a.yaml",
        "files": [str(tmp_path / "a.yaml")],
        "mapping": {"split": {"validation": 0.9}},
        "config": Config.model_validate({"split": {"validation": 0.8}}),
    }[kind]
    with pytest.raises(ConfigError, match=r"n_knots"):
        run_all(config, workdir=tmp_path / "run", features={"n_knots": 0})
    assert not (tmp_path / "run").exists()
