"""Objects in S3 whose bytes have changed or are lost: no other model is trained, and a rerun puts them back."""

from __future__ import annotations

from pathlib import Path


def _bodies(place, word):
    """Return the files of the emulator with the objects whose keys have a word."""
    with place.emulator() as emulator:
        (bucket,) = emulator.store.buckets()
        objects = emulator.store.list(bucket.name)
        return {item.key: emulator.store.get(bucket.name, item.key).path for item in objects if word in item.key}


def _flip_one_bit(path: Path, *, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.chmod(0o600)
    path.write_bytes(data)


def test_a_changed_bit_and_a_lost_object_are_uploaded_again_before_a_training(prepared, finished_once):
    assert prepared.run("run-all", "--until", "upload").code == 0
    (train,) = _bodies(prepared, "/train/").values()
    (validation,) = _bodies(prepared, "/validation/").values()
    _flip_one_bit(train, at=len(train.read_bytes()) // 2)
    validation.unlink()
    ended = prepared.run("run-all", "--json")
    assert ended.code == 0, ended.err
    (upload,) = (stage for stage in ended.json["stages"] if stage["name"] == "upload")
    assert (upload["status"], upload["reason"].endswith("is missing or changed")) == ("run", True)
    assert prepared.metrics() == finished_once.metrics()
    encoded = {path.name: path.read_bytes() for path in prepared.workdir.glob("encode/*/*.pbr")}
    stored = {key.rpartition("/")[2]: path.read_bytes() for key, path in _bodies(prepared, ".pbr").items()}
    assert len(stored) == 2
    assert stored.items() <= encoded.items()


def test_a_bucket_that_is_gone_and_a_changed_artifact_are_put_back_for_a_prediction(finished, finished_once):
    with finished.emulator() as emulator:
        (bucket,) = emulator.store.buckets()
        for item in emulator.store.list(bucket.name):
            emulator.store.delete(bucket.name, item.key)
        emulator.store.delete_bucket(bucket.name)
    ended = finished.run("run-all", "--force", "predict", "--json")
    assert ended.code == 0, ended.err
    assert finished.metrics() == finished_once.metrics()
    (artifact,) = _bodies(finished, "model.tar.gz").values()
    assert artifact.read_bytes() == finished.bytes_of("train/model.tar.gz")
    _flip_one_bit(artifact, at=20)
    again = finished.run("run-all", "--force", "predict", "--json")
    assert again.code == 0, again.err
    (artifact,) = _bodies(finished, "model.tar.gz").values()
    assert artifact.read_bytes() == finished.bytes_of("train/model.tar.gz")
    assert finished.open_intervals() == []
