"""SageMaker's Python SDK 2 runs a stage of ours as a processing job, and its own scripts are refused."""

from __future__ import annotations

import json

import pytest

from asteroid_ll import own_wheel
from asteroid_ll.config import Config
from asteroid_ll.processing_container import CODE, ENTRYPOINT, RUN, SETTINGS, SETTINGS_FOLDER, local_path
from asteroid_ll.stages.registry import STAGES

SDK = 2
pytestmark = pytest.mark.interop

PROGRAM = f"""
import json
from pathlib import Path
from sagemaker import Session
from sagemaker.processing import ProcessingInput, ProcessingOutput, Processor, ScriptProcessor

session = Session(default_bucket="sdk-processing")
common = {{
    "role": "arn:aws:iam::000000000000:role/asteroid-ll",
    "image_uri": "763104351884.dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.8.0-cpu-py312-ubuntu22.04-sagemaker",
    "instance_count": 1, "instance_type": "ml.m5.xlarge", "sagemaker_session": session,
}}
Path("script.py").write_text("print('mine')")
try:
    ScriptProcessor(command=["python3"], **common).run("script.py")
except Exception as error:
    told = {{"refusal": str(error)}}
places = {{
    "code": {local_path(CODE)!r}, "settings": {local_path(SETTINGS_FOLDER)!r}, "fetch": {local_path(f"{RUN}/fetch")!r},
}}
processor = Processor(entrypoint={list(ENTRYPOINT)!r}, **common)
processor.run(
    inputs=[ProcessingInput(name, place, input_name=name) for name, place in places.items()],
    outputs=[ProcessingOutput({local_path(f"{RUN}/clean")!r}, output_name="clean")],
)
job = processor.latest_job.describe()
told["status"] = job["ProcessingJobStatus"]
bucket, _, prefix = job["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"][5:].partition("/")
told["outputs"] = sorted(Path(key).name for key in session.list_s3_files(bucket, prefix))
print("TOLD", json.dumps(told))
"""


def test_the_sdk_runs_our_stage_and_is_told_that_its_own_script_cannot_run(sdk, tmp_path):
    config = Config.model_validate({"source": {"kind": "csv", "location": "a.csv"}})
    settings = next(stage for stage in STAGES if stage.name == "clean").settings(config)
    rows = [f"{i},{15 + i % 12},{0.001 * (1 + i % 90)},{i % 12 <= 7 and i % 90 < 50}\n" for i in range(300)]
    provenance = {"file": "a.csv", "location": "a.csv", "source": "csv", "sha256": "", "n_bytes": 1, "credit": ""}
    files = {
        f"code/{own_wheel.file_name()}": own_wheel.build(),
        f"settings/{SETTINGS.rpartition('/')[2]}": json.dumps({"stage": "clean", "settings": settings}).encode(),
        "fetch/provenance.json": json.dumps(provenance).encode(),
        "fetch/a.csv": ("asteroid_id,absolute_magnitude_mag,moid_au,hazardous\n" + "".join(rows)).encode(),
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    with sdk.served(tmp_path / "state") as url:
        told = json.loads(sdk.run(PROGRAM, url=url, folder=tmp_path).rpartition("TOLD ")[2])
    assert "The emulator runs no code that it is sent" in told["refusal"]
    assert told["status"] == "Completed"
    assert told["outputs"] == ["data_card.json", "outcome-algo-1.json", "rules.json", "table.npz"]
