"""Pipe, File and FastFile, recordIO and CSV: the same rows give the same model."""

import os
import tarfile
import threading

import numpy as np
import pytest

from asteroid_ll.emulator.worker.files import feeding, pipe_path
from asteroid_ll.formats import recordio
from asteroid_ll.linear_learner.model import Model
from asteroid_ll.linear_learner.training import train

REGION = "us-west-2"
VALUES = {"predictor_type": "regressor", "mini_batch_size": "20", "epochs": "2"}
RNG = np.random.default_rng(2)
FEATURES = RNG.normal(size=(90, 3)).astype(np.float32)
LABELS = (FEATURES @ np.array([1, -2, 3], np.float32)).astype(np.float32)


def test_every_epoch_is_a_stream_of_its_own_whose_pipe_exists_before_the_last_one_ends(tmp_path):
    for name in ("one ", "two"):
        (tmp_path / name).write_text(name)
    pipe, one, two = tmp_path / "train", tmp_path / "one ", tmp_path / "two"
    threads = threading.active_count()
    with feeding({pipe: lambda epoch: [one, two] if epoch % 2 else [two, one]}):
        assert [pipe_path(pipe, epoch=n).read_text() for n in range(3)] == ["twoone ", "one two", "twoone "]
        with pipe_path(pipe, epoch=3).open("rb") as stream:
            assert stream.read() == b"one two"
            assert pipe_path(pipe, epoch=4).is_fifo()
    assert threading.active_count() == threads  # also the stream that nobody reads ends with the job


def test_a_reader_that_has_enough_ends_the_epoch(tmp_path):
    (tmp_path / "large").write_bytes(bytes(1 << 20))
    pipe = tmp_path / "train"
    with feeding({pipe: lambda _: [tmp_path / "large"]}):
        descriptor = os.open(pipe_path(pipe, epoch=0), os.O_RDONLY)
        assert os.read(descriptor, 10) == bytes(10)
        os.close(descriptor)
        assert len(pipe_path(pipe, epoch=1).read_bytes()) == 1 << 20


def csv_of(rows):
    columns = np.column_stack([LABELS[rows], FEATURES[rows]]).tolist()
    return "".join(",".join(map(repr, row)) + "\n" for row in columns).encode()


def recordio_of(rows):
    return bytes(recordio.encode(FEATURES[rows], LABELS[rows]))


@pytest.mark.one_in(4)
@pytest.mark.parametrize("mode", ["File", "FastFile", "Pipe"])
@pytest.mark.parametrize(
    ("content_type", "encode"),
    [
        ("application/x-recordio-protobuf", recordio_of),
        (None, recordio_of),
        ("text/csv", csv_of),
        ("text/csv;label_size=1", csv_of),
    ],
    ids=["recordio", "default", "csv", "csv-label-size"],
)
def test_a_job_reads_its_channel_in_any_mode(
    emulator, sagemaker, job_request, ended, tmp_path, mode, content_type, encode
):
    emulator.store.create_bucket("asteroids", region=REGION)
    for number, rows in enumerate([slice(0, 40), slice(40, 90)]):
        emulator.store.put("asteroids", f"in/train/part-{number}", [encode(rows)])
    request = job_request(HyperParameters=VALUES)
    request["AlgorithmSpecification"]["TrainingInputMode"] = "File" if content_type else mode
    if content_type:
        request["InputDataConfig"][0]["InputMode"] = mode
        request["InputDataConfig"][0]["ContentType"] = content_type
    sagemaker.create_training_job(**request)
    job = ended()
    assert job["TrainingJobStatus"] == "Completed", job.get("FailureReason")
    stored = emulator.store.get("asteroids", "out/job-1/output/model.tar.gz")
    model, expected = Model.load(stored.path), train(FEATURES, LABELS, VALUES).model
    np.testing.assert_array_equal(model.weight, expected.weight)
    np.testing.assert_array_equal(model.bias, expected.bias)
    with tarfile.open(stored.path) as archive:
        assert archive.getnames() == ["model_algo-1"]


def test_a_damaged_stream_is_the_customers_fault(emulator, sagemaker, job_request, ended):
    emulator.store.create_bucket("asteroids", region=REGION)
    emulator.store.put("asteroids", "in/train/part-0", [recordio_of(slice(0, 90))[:-5]])
    request = job_request(HyperParameters=VALUES)
    request["AlgorithmSpecification"]["TrainingInputMode"] = "Pipe"
    sagemaker.create_training_job(**request)
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert job["FailureReason"].startswith("ClientError: ")
    assert "/opt/ml/input/data/train/stream" in job["FailureReason"]
