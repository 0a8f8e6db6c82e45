"""``train`` as the image runs it: a process with numpy and orjson alone, under the contract of ``/opt/ml``."""

import importlib.metadata
import json
import re
import shutil
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from asteroid_ll.linear_learner import container

ROOT = Path(__file__).resolve().parents[3]
DOCKERFILE = (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.fixture
def job(trained, tmp_path):
    """A copy of the finished job's input, all in File mode, with other hyperparameters."""

    def lay_out(**hyperparameters):
        shutil.copytree(trained / "input" / "config", tmp_path / "input" / "config")
        data = tmp_path / "input" / "data"
        shutil.copytree(trained / "input" / "data" / "train", data / "train")
        for name in ("validation", "test"):
            shutil.copytree(trained / "input" / "data" / "validation", data / name)
        config = tmp_path / "input" / "config"
        (config / "inputdataconfig.json").write_text(
            json.dumps({"train": {"ContentType": "text/csv"}, "validation": {}, "test": {}})
        )
        values = json.loads((config / "hyperparameters.json").read_text())
        (config / "hyperparameters.json").write_text(json.dumps({**values, **hyperparameters}))
        return tmp_path

    return lay_out


def test_each_input_mode_gives_the_model_of_file_mode(trained, job):
    root, lines = job(), []
    assert container.run(root, write=lines.append) == 0
    assert (trained / "model" / "model_algo-1").read_bytes() == (root / "model" / "model_algo-1").read_bytes()
    scores = [line for line in lines if "#test_score" in line or "<score>=" in line]
    assert scores
    log = (trained / "log").read_text()
    assert [text for line in scores if (text := line.partition("] ")[2]) not in log] == []
    assert sorted(path.name for path in trained.iterdir()) == ["input", "log", "model"]


def test_bad_hyperparameters_end_with_1_and_a_failure_file(image, job):
    root = job(epochs="many")
    process = image.start("train", root)
    log, _ = process.communicate(timeout=60)
    failure = (root / "output" / "failure").read_text()
    assert process.returncode == 1
    assert failure.startswith("ClientError: 'many' does not match ")
    assert "Customer Error" in log
    assert "Traceback" not in log
    assert not (root / "model").exists()


def test_sigterm_during_training_ends_with_143_a_checkpoint_and_no_model(image, job):
    root = job(epochs="1000000", early_stopping_patience="1000000")
    (root / "checkpoints").mkdir()
    process = image.start("train", root)
    epochs = (line for line in process.stdout if "#progress_metric" in line)
    assert next(epochs)
    assert next(epochs)  # the first epoch's checkpoint is written before the second epoch
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert "Traceback" not in log
    assert sorted(path.name for path in root.iterdir()) == ["checkpoints", "input"]
    assert list((root / "checkpoints").iterdir())


def test_the_images_packages_are_versions_that_the_project_supports():
    bounds = dict(re.findall(r'^    "(\w+)>=([\d.]+)"', (ROOT / "pyproject.toml").read_text(), re.MULTILINE))
    pins = dict(re.findall(r"(\w+)==([\d.]+)", DOCKERFILE))
    needed_by_uvicorn = {"click", "h11"}
    assert set(pins) == {"numpy", "orjson", "httptools", "uvicorn", *needed_by_uvicorn}
    for name in set(pins) & set(bounds):
        assert tuple(map(int, pins[name].split("."))) >= tuple(map(int, bounds[name].split(".")))


def test_the_build_gets_each_file_that_it_copies():
    copied = " ".join(re.findall(r"^COPY (?!--from)(.*) \S+$", DOCKERFILE, re.MULTILINE)).split()
    allowed = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    assert sorted(copied) == sorted(allowed)
    assert all((ROOT / name).exists() for name in copied)


@pytest.mark.interop
def test_the_wheel_trains_and_serves_without_its_other_dependencies(image, trained, job, tmp_path):
    """As in the Dockerfile: the wheel is built and unpacked, and numpy and orjson are beside it."""
    pytest.importorskip("hatchling", reason="hatchling is not installed")
    wheels, site = tmp_path / "wheels", tmp_path / "site"
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(wheels)], cwd=ROOT, check=True)
    (wheel,) = wheels.iterdir()
    assert importlib.metadata.version("asteroid-ll") in wheel.name
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    for link in Path(image.variables["PYTHONPATH"]).iterdir():
        if link.name != "asteroid_ll":
            (site / link.name).symlink_to(link)
    root = job()
    process = image.start("train", root, PYTHONPATH=str(site))
    log, _ = process.communicate(timeout=60)
    assert process.returncode == 0, log
    assert (root / "model" / "model_algo-1").read_bytes() == (trained / "model" / "model_algo-1").read_bytes()
    process, _ = image.serve(root, PYTHONPATH=str(site))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 0
