"""The contract of a processing job that runs a stage: the command, and the places of files in its container.

All places are below the container's directory `ROOT`. The emulator's containers are directories of its own.

Source of the outer places: the SageMaker developer guide, "How Amazon SageMaker Processing Runs Your Processing
Container" and "How Amazon SageMaker Processing Configures Your Processing Container".
"""

from __future__ import annotations

ROOT = "/opt/ml"

CODE = "processing/input/code"
"""The folder with the wheel of this package."""

SETTINGS_FOLDER = "processing/input/settings"
SETTINGS = f"{SETTINGS_FOLDER}/settings.json"
"""The stage's name and the settings that it reads."""

RUN = "processing/run"
"""The run directory. The folders of the stages that are read are inputs, and that of the stage is the output."""

OUTCOMES = "outcome-"
"""Begin of the name of a file beside the outputs: what the stage has returned on a host, and which files it has written
there. The host's name and ``.json`` follow."""

RESOURCES = "config/resourceconfig.json"
"""The names of this host and of all hosts of the job, written by SageMaker."""

MESSAGE = "output/message"
"""The reason of a failure, which SageMaker shows as ``ExitMessage``."""

MAX_MESSAGE_BYTES = 1024
"""The longest ``ExitMessage``."""

MODULE = "asteroid_ll.pipeline.container"
"""The module whose ``main`` is called with the container's directory."""

_PIP = "python3 -m pip -q --no-input --disable-pip-version-check"

ENTRYPOINT = (
    *("env", "PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore"),
    *("sh", "-ec"),
    f"{_PIP} uninstall -y asteroid-ll; {_PIP} install {ROOT}/{CODE}/*.whl; exec python3 -m {MODULE} {ROOT}",
)
"""The command of the container. SageMaker allows 256 characters in each part.

An image may have this package, with its requirements. pip would keep that one if it has the wheel's version.
"""


def local_path(place: str) -> str:
    """Return the absolute path of a place in the container, such as ``/opt/ml/processing/run/clean``."""
    return f"{ROOT}/{place}"
