import json
import os
import signal
import subprocess
import sys

import numpy as np
import pytest

from asteroid_ll.formats.shards import write_shards
from asteroid_ll.linear_learner import container
from asteroid_ll.linear_learner.hyperparameters import AlgorithmError
from asteroid_ll.linear_learner.model import Model

RNG = np.random.default_rng(7)
FEATURES = RNG.normal(size=(60, 3)).astype(np.float32)
LABELS = (FEATURES @ np.array([1, -2, 3], np.float32) + 4).astype(np.float32)
HYPERPARAMETERS = {"predictor_type": "regressor", "mini_batch_size": "10", "epochs": "2", "feature_dim": "3"}


@pytest.fixture
def job(tmp_path):
    """Lay out a job: ``job(hyperparameters, channels={name: configuration})`` gives its root."""

    def lay_out(hyperparameters=None, *, channels=None, hosts=("algo-1",)):
        channels = {"train": {}} if channels is None else channels
        config = tmp_path / "input" / "config"
        config.mkdir(parents=True)
        (config / "hyperparameters.json").write_text(json.dumps({**HYPERPARAMETERS, **(hyperparameters or {})}))
        (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": list(hosts)}))
        (config / "inputdataconfig.json").write_text(json.dumps(channels))
        for name in channels:
            write_shards(
                tmp_path / "input" / "data" / name,
                "part",
                lambda start, stop: [(FEATURES[start:stop], LABELS[start:stop])],
                n_rows=len(FEATURES),
                n_shards=2,
            )
        return tmp_path

    return lay_out


def run(root):
    lines = []
    code = container.run(root, write=lines.append)
    return code, "\n".join(lines)


def failure(root):
    return (root / "output" / "failure").read_text()


def test_a_job_leaves_a_bare_model_and_no_failure(job):
    root = job()
    code, log = run(root)
    assert code == 0
    assert [path.name for path in (root / "model").iterdir()] == ["model_algo-1"]
    assert not (root / "output").exists()
    assert Model.load(root / "model" / "model_algo-1").feature_dim == 3
    assert "Test data is not provided." in log


def test_the_same_job_gives_the_same_model_bytes(job):
    root = job()
    models = []
    for _ in range(2):
        assert run(root)[0] == 0
        models.append((root / "model" / "model_algo-1").read_bytes())
    assert models[0] == models[1]


def test_validation_and_test_channels_are_scored(job):
    _, log = run(job(channels={"train": {}, "validation": {}, "test": {}}))
    order = [
        '"data_pipeline": "/opt/ml/input/data/validation", "epoch": 0',
        "epoch=1, validation mse_objective <loss>=",
        "#validation_score (algo-1) : ('mse_objective', ",
        "validation mse <loss>=",
        "Best model found for hyperparameters: {",
        '"Meta": "test_data_iter"',
        "#test_score (algo-1) : ('mse_objective', ",
        "#quality_metric: host=algo-1, test mse <loss>=",
        '"totaltime": {',
    ]
    places = [log.find(text) for text in order]
    assert -1 not in places
    assert places == sorted(places)
    assert "Test data is not provided." not in log


def test_csv_is_read_when_the_channel_says_so(job):
    root = job(channels={"train": {"ContentType": "text/csv"}})
    for path in (root / "input" / "data" / "train").iterdir():
        path.unlink()
    rows = np.column_stack([LABELS, FEATURES]).tolist()
    text = "".join(",".join(map(repr, row)) + "\n" for row in rows)
    (root / "input" / "data" / "train" / "rows.csv").write_text(text)
    code, log = run(root)
    assert code == 0
    assert "tensorio" not in log


@pytest.mark.parametrize(
    ("hyperparameters", "channels", "hosts", "reason"),
    [
        ({"mini_batch_siz": "3"}, None, 1, "mini_batch_siz"),
        ({"epochs": "none"}, None, 1, "none"),
        ({"feature_dim": "4"}, None, 1, "cannot copy sequence with size 3 to array axis with dimension 4"),
        ({"mini_batch_size": "61"}, None, 1, "61"),
        ({}, {}, 1, "'train' is a required property"),
        ({}, {"train": {}, "extra": {}}, 1, "Additional properties are not allowed ('extra' was unexpected)"),
        ({}, {"train": {"TrainingInputMode": "Pipe"}}, 1, "in Pipe mode, but its stream train_0 is missing"),
        ({}, {"train": {"ContentType": "csv"}}, 1, "No iterator has been registered for ContentType ('csv', '1.0')"),
    ],
)
def test_the_customers_fault_is_a_client_error_with_exit_code_1(job, hyperparameters, channels, hosts, reason):
    root = job(hyperparameters, channels=channels, hosts=[f"algo-{number + 1}" for number in range(hosts)])
    code, log = run(root)
    assert code == 1
    assert failure(root).startswith("ClientError: ")
    assert reason in failure(root)
    assert "Customer Error: " in log
    assert "Traceback" not in log
    assert not (root / "model").exists()


def test_bad_csv_fails_in_the_containers_words(job):
    root = job(channels={"train": {"ContentType": "text/csv"}})
    for path in (root / "input" / "data" / "train").iterdir():
        path.unlink()
    (root / "input" / "data" / "train" / "part-00000").write_text("label,x\n1,2\n")
    assert run(root)[0] == 1
    expected = "ClientError: Unable to parse csv: rows 1-10, file /opt/ml/input/data/train/part-00000. In these rows: "
    assert failure(root).startswith(expected)


def test_configuration_that_is_no_json_object_is_the_customers_fault(job):
    root = job()
    for text, problem in (("{", "is not valid JSON"), ("[]", "does not contain a JSON object")):
        (root / "input" / "config" / "hyperparameters.json").write_text(text)
        assert run(root)[0] == 1
        assert failure(root).startswith(f"ClientError: hyperparameters.json {problem}")


def test_a_bug_is_an_algorithm_error_with_its_traceback_in_the_log(job, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(container, "train", broken)
    root = job()
    code, log = run(root)
    assert code == 1
    assert failure(root) == "AlgorithmError: ZeroDivisionError: oh"
    assert "Traceback (most recent call last)" in log


def test_a_job_without_configuration_files_says_what_is_missing(tmp_path):
    code, _ = run(tmp_path)
    assert code == 1
    assert "predictor_type" in failure(tmp_path)


def test_a_job_whose_every_model_diverges_is_an_algorithm_error(job, monkeypatch):
    def diverged(*_, **__):
        raise AlgorithmError("Training diverged.", hint="Lower learning_rate.")

    monkeypatch.setattr(container, "train", diverged)
    root = job()
    assert run(root)[0] == 1
    assert failure(root) == "AlgorithmError: Training diverged. Lower learning_rate."


def test_folders_that_cannot_be_written_end_the_job_with_1_and_no_traceback(job):
    root = job()
    for name in ("model", "output"):
        (root / name).write_text("a file in place of the folder")
    code, log = run(root)
    assert code == 1
    assert f"{root}/model/model_algo-1 could not be written: a part of its path is a file" in log
    assert f"{root}/model needs room, and the container's user must be allowed to write there." in log
    assert "--workdir" not in log
    assert f"{root}/output/failure could not be written: File exists." in log
    assert "Traceback" not in log


def test_sigterm_ends_the_job_without_a_model(job, monkeypatch):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setattr(container, "train", lambda *_, **__: os.kill(os.getpid(), signal.SIGTERM))
    root = job()
    try:
        with pytest.raises(SystemExit) as caught:
            container.main(["train", "--root", str(root)])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert caught.value.code == 143
    assert not (root / "model").exists()


def test_the_command_trains_and_imports_nothing_heavy(job):
    root = job()
    check = (
        "import sys; from asteroid_ll.linear_learner import container; code = container.main(sys.argv[1:]); "
        "print([name for name in ('pandas', 'boto3', 'matplotlib', 'pydantic', 'click') if name in sys.modules]); "
        "sys.exit(code)"
    )
    command = [sys.executable, "-c", check, "train", "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Docker entrypoint called with argument(s): train\n")
    assert done.stdout.endswith("[]\n")


@pytest.mark.parametrize(("year", "python"), [("2021", "3.7"), ("2025", "3.8")])
def test_a_variable_selects_the_generation_of_the_log(job, monkeypatch, capsys, year, python):
    before = signal.getsignal(signal.SIGTERM)
    monkeypatch.setenv("LINEAR_LEARNER_GENERATION", year)
    try:
        assert container.main(["train", "--root", str(job())]) == 0
    finally:
        signal.signal(signal.SIGTERM, before)
    assert f"/opt/amazon/lib/python{python}/" in capsys.readouterr().out


def test_a_generation_that_does_not_exist_is_named(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("LINEAR_LEARNER_GENERATION", "1999")
    with pytest.raises(SystemExit) as ended:
        container.main(["train", "--root", str(tmp_path)])
    assert ended.value.code == 2
    message = " ".join(capsys.readouterr().err.split())
    assert "LINEAR_LEARNER_GENERATION is '1999', and not one of 2021, 2022, 2025" in message
