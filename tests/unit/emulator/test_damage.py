"""Damage on disk: of the bytes that a job or an endpoint reads, and of the database."""

import sqlite3

import pytest

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.state import State, remove_state
from asteroid_ll.errors import ConfigError, DataError

REGION = "us-west-2"


def test_a_job_does_not_train_on_damaged_bytes(stand_in, bucket, sagemaker, job_request, ended):
    stand_in.store.get("asteroids", "in/train/part-0").path.write_bytes(b"1,2,4\n")
    sagemaker.create_training_job(**job_request())
    job = ended()
    assert job["TrainingJobStatus"] == "Failed"
    assert "s3://asteroids/in/train/part-0 are damaged or lost on disk" in job["FailureReason"]


def test_an_endpoint_does_not_serve_a_damaged_artifact(virtual, sagemaker, hosted):
    virtual.store.get("asteroids", f"out/{hosted()}/model.tar.gz").path.write_bytes(b"weighty")
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="ep")
    endpoint = sagemaker.describe_endpoint(EndpointName="ep")
    assert endpoint["EndpointStatus"] == "Failed"
    assert "damaged or lost on disk" in endpoint["FailureReason"]
    assert open_intervals(virtual.state) == []


def _damage(path, how):
    size = path.stat().st_size
    if how == "not-a-database":
        path.write_bytes(b"x" * 4096)
    elif how == "truncated":
        with path.open("r+b") as file:
            file.truncate(size // 2 + 100)
    else:
        with path.open("r+b") as file:
            file.seek(100)
            file.write(b"\xff" * (size - 100))


@pytest.mark.parametrize("how", ["not-a-database", "truncated", "overwritten"])
def test_a_damaged_database_is_one_error_with_the_directory_and_the_next_command(tmp_path, how):
    directory = tmp_path / "a state"
    account = Account(directory)
    account.store.create_bucket("asteroids", region=REGION)
    account.close()
    _damage(directory / "state.sqlite3", how)

    def use():
        opened = Account(directory)
        try:
            opened.ledger()
            opened.store.buckets()
        finally:
            opened.close()

    with pytest.raises(DataError) as caught:
        use()
    assert caught.value.what.startswith(f"The emulator's state in {directory} is damaged: ")
    assert caught.value.hint.startswith(f"asteroid-ll emulator reset --yes --state '{directory}' ")
    remove_state(directory)
    use()


def test_a_call_to_a_state_that_is_damaged_later_is_the_same_error(virtual, sagemaker):
    with virtual.state.transaction() as db:
        db.execute("INSERT INTO intervals VALUES (1, 'a', 'training', 'm', 1, 0, NULL, '{broken')")
    with pytest.raises(DataError, match="is damaged"):
        virtual.ledger()
    virtual.services.resources.get = _malformed
    with pytest.raises(DataError, match="is damaged: database disk image is malformed"):
        sagemaker.describe_model(ModelName="m")
    assert "malformed" in (virtual.directory / "emulator.log").read_text()


def _malformed(*_):
    raise sqlite3.DatabaseError("database disk image is malformed")


def test_a_lock_is_not_called_damage(virtual, monkeypatch):
    def locked(*_):
        raise sqlite3.OperationalError("database is locked")

    monkeypatch.setattr(virtual.services.jobs, "settle", locked)
    with pytest.raises(sqlite3.OperationalError):
        virtual.ledger()


def test_a_directory_with_other_files_is_not_made_a_state(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError) as caught:
        State(tmp_path)
    assert str(tmp_path) in caught.value.what
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_reset_keeps_other_files_of_the_directory(stand_in, bucket, sagemaker, job_request, ended):
    state = stand_in.directory
    sagemaker.create_training_job(**job_request())
    ended()
    for name in ("thesis.txt", "photos/photo.jpg"):
        (state / name).parent.mkdir(exist_ok=True)
        (state / name).write_text("mine")
    stand_in.reset()
    files = {str(path.relative_to(state)) for path in state.rglob("*") if path.is_file()}
    assert files - {"state.sqlite3", "state.sqlite3-wal", "state.sqlite3-shm"} == {"thesis.txt", "photos/photo.jpg"}
    assert sagemaker.list_training_jobs()["TrainingJobSummaries"] == []
