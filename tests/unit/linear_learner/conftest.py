"""The container's image without a container engine: its entry point, with the image's packages and no others."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from asteroid_ll.formats import recordio
from asteroid_ll.formats.recordio import write_shards

DOCKERFILE = (Path(__file__).resolve().parents[3] / "Dockerfile").read_text(encoding="utf-8")
PATIENCE_S = 60


class Image:
    """Runs ``docker run IMAGE COMMAND`` as a process of this machine."""

    packages = ("asteroid_ll", *re.findall(r"(\w+)==", DOCKERFILE))

    def __init__(self, site: Path) -> None:
        for name in self.packages:
            origin = importlib.util.find_spec(name)
            assert origin is not None
            assert origin.origin is not None
            package = Path(origin.origin).parent
            for path in (package, package.with_name(f"{name}.libs")):
                if path.exists():
                    (site / path.name).symlink_to(path)
        (entry_point,) = re.findall(r"^ENTRYPOINT (.*)$", DOCKERFILE, re.MULTILINE)
        self.variables = {"PYTHONPATH": str(site), "PYTHONUNBUFFERED": "1", "OPENBLAS_NUM_THREADS": "1"}
        # -S: the site-packages of the tests are out of reach.
        self.command = [sys.executable, "-S", *json.loads(entry_point)[1:]]
        self._started: list[subprocess.Popen[str]] = []

    def start(self, command: str, root: Path, **variables: str) -> subprocess.Popen[str]:
        """Start the entry point with a directory in the place of ``/opt/ml``."""
        process = subprocess.Popen(
            [*self.command, command, "--root", str(root)],
            env={**self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self._started.append(process)
        return process

    def serve(self, root: Path, **variables: str) -> tuple[subprocess.Popen[str], int]:
        """Start ``serve`` on a free port; return the process and the port."""
        process = self.start("serve", root, **{"SAGEMAKER_BIND_TO_PORT": "0", **variables})
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r" on port (\d+)", line)
        assert match, line + process.communicate(timeout=PATIENCE_S)[0]
        return process, int(match[1])

    def close(self) -> None:
        """Kill the processes, with their workers, that a failed test has left."""
        for process in self._started:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """The image."""
    image = Image(tmp_path_factory.mktemp("site-packages"))
    yield image
    image.close()


@pytest.fixture(scope="session")
def trained(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The root of a finished job: CSV in File mode, recordIO in FastFile mode, and a stream in Pipe mode."""
    root = tmp_path_factory.mktemp("opt-ml")
    rng = np.random.default_rng(7)
    features = rng.normal(size=(60, 3)).astype(np.float32)
    labels = (features[:, 0] > 0).astype(np.float32)
    config, data = root / "input" / "config", root / "input" / "data"
    for folder in (config, data / "train", root / "model"):
        folder.mkdir(parents=True)
    values = {"predictor_type": "binary_classifier", "mini_batch_size": "10", "epochs": "2"}
    (config / "hyperparameters.json").write_text(json.dumps(values))
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": "algo-1", "hosts": ["algo-1"]}))
    modes = {"train": "File", "validation": "FastFile", "test": "Pipe"}
    channels = {name: {"TrainingInputMode": mode} for name, mode in modes.items()}
    channels["train"]["ContentType"] = "text/csv"
    (config / "inputdataconfig.json").write_text(json.dumps(channels))
    lines = (",".join(map(repr, row)) for row in np.column_stack([labels, features]).tolist())
    (data / "train" / "rows.csv").write_text("".join(f"{line}\n" for line in lines))
    write_shards(
        data / "validation",
        "part",
        lambda start, stop: [(features[start:stop], labels[start:stop])],
        n_rows=len(features),
        n_shards=2,
    )
    pipe = data / "test_0"
    os.mkfifo(pipe)
    process = image.start("train", root)
    pipe.write_bytes(bytes(recordio.encode(features, labels)))
    log, _ = process.communicate(timeout=PATIENCE_S)
    (root / "log").write_text(log)
    assert process.returncode == 0, log
    return root


@pytest.fixture(scope="session")
def served(image: Image, trained: Path) -> Iterator[int]:
    """The port at which the trained model is served."""
    process, port = image.serve(trained)
    yield port
    process.send_signal(signal.SIGTERM)
    log, _ = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, "Traceback" in log) == (0, False), log
