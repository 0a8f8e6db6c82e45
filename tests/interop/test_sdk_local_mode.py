"""The SageMaker Python SDK's local mode trains and serves with our container.

There is no container engine. A program named ``docker`` takes its place: it reads the SDK's Compose file and runs our
entry point, with the mounted folders in the place of ``/opt/ml``.
"""

import importlib.util
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "container.md"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(importlib.util.find_spec("sagemaker") is None, reason="the SageMaker SDK 2.x is not installed"),
]

DOCKER = """#!{python}
import os, pathlib, sys, tempfile, yaml
if sys.argv[1:] == ["compose", "version"]:
    sys.exit(print("Docker Compose version v2.29.7"))
(service,) = yaml.safe_load(pathlib.Path(sys.argv[3]).read_text())["services"].values()
assert service["image"] == "linear-learner"
root = pathlib.Path(tempfile.mkdtemp(dir={folder!r}))
for volume in sorted(service["volumes"], key=lambda volume: volume.split(":")[1]):
    source, target = volume.split(":")
    os.makedirs(source, exist_ok=True)
    place = root / pathlib.Path(target).relative_to("/opt/ml")
    place.parent.mkdir(parents=True, exist_ok=True)
    if place.exists() and not place.samefile(source):
        place.rmdir()  # a mount hides an empty folder
    if not place.exists():
        place.symlink_to(source)
environment = dict(variable.split("=", 1) for variable in service["environment"])
for port in service.get("ports", []):
    environment["SAGEMAKER_BIND_TO_PORT"] = port.split(":")[0]
command = [sys.executable, "-m", "asteroid_ll.linear_learner.container", service["command"], "--root", str(root)]
log = os.open(pathlib.Path({folder!r}) / (service["command"] + ".log"), os.O_WRONLY | os.O_CREAT)
os.dup2(log, 1)
os.dup2(log, 2)
os.execve(sys.executable, command, environment)
"""


@pytest.fixture
def place(tmp_path):
    """A folder with training data, with our ``docker`` on the path of its programs."""
    programs = tmp_path / "bin"
    programs.mkdir()
    docker = programs / "docker"
    docker.write_text(DOCKER.format(python=sys.executable, folder=str(tmp_path)))
    docker.chmod(0o755)
    data = tmp_path / "job" / "input" / "data" / "train"
    data.mkdir(parents=True)
    (data / "rows.csv").write_text("10,1\n20,2\n30,3\n40,4\n")
    (tmp_path / "job" / "output").mkdir()
    config = tmp_path / ".config" / "sagemaker" / "config.yaml"
    config.parent.mkdir(parents=True)
    config.write_text("SchemaVersion: '1.0'\nSageMaker: {PythonSDK: {Modules: {TelemetryOptOut: true}}}\n")
    return tmp_path


def run(program, folder):
    variables = {
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "PYTHONWARNINGS": "ignore",
    }
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=folder,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=300,
        check=False,
    )


def program_of_the_page():
    (program,) = (
        text
        for text in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
        if "LocalSession" in text
    )
    return program


def on_a_free_port(program):
    with socket.socket() as chosen:
        chosen.bind(("127.0.0.1", 0))
        port = chosen.getsockname()[1]
    line = f"session = LocalSession()\nsession.config = {{'local': {{'serving_port': {port}}}}}\n"
    return program.replace("estimator = ", f"{line}estimator = ", 1).replace("=LocalSession(),", "=session,")


def test_local_mode_trains_and_serves(place):
    done = run(on_a_free_port(program_of_the_page()), place)
    assert done.returncode == 0, done.stdout
    assert re.search(r'\{"predictions": \[\{"score": \d+\.\d+\}\]\}', done.stdout), done.stdout
    assert "train mse <loss>=" in (place / "train.log").read_text()
    assert (place / "job" / "output" / "model.tar.gz").is_file()


def test_local_mode_shows_a_failure(place):
    program = program_of_the_page().replace('"mini_batch_size": 2', '"mini_batch_size": "many"')
    done = run(on_a_free_port(program), place)
    assert done.returncode != 0
    assert "'many' does not match" in (place / "train.log").read_text()
    assert "Process exited with code: 1" in " ".join(done.stdout.split())
