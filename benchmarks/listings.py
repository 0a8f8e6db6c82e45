"""List operations on a full account, beside the same calls on an account with one page of entries.

    python benchmarks/listings.py [jobs] [objects] [--json]

It fills an account of the emulator in a temporary directory with training jobs and objects, by rows of its database,
and measures calls through boto3. The other account has one page of jobs and two pages of objects. Last, ``run-all``
works in the full account, and in an empty one.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

from frame import Case, Side, Times, child, main, numbers

from asteroid_ll import Emulator
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource, Resources
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State

REGION = "us-east-1"
START = "start, list the buckets"
"""Opening an account counts its files, so its time grows with them."""

STATUSES = ("Completed",) * 18 + ("Failed", "Stopped")


def fill(folder: Path, *, n_jobs: int, n_objects: int) -> None:
    """Copy one real job and one real object under many names."""
    state = State(folder)
    store, resources = ObjectStore(state), Resources(state)
    body = {
        "secondary": "Completed",
        "transitions": [],
        "request": {
            "AlgorithmSpecification": {"TrainingImage": "image", "TrainingInputMode": "File"},
            "OutputDataConfig": {"S3OutputPath": "s3://benchmark/output"},
            "HyperParameters": {f"name_{number}": "value" * 10 for number in range(40)},
        },
    }
    now_s = time.time() - n_jobs
    with state.transaction() as db:
        for number in range(n_jobs):
            name, status = f"job-{number:06}", STATUSES[number % len(STATUSES)]
            job = Resource(TRAINING_JOB, REGION, name, status, now_s + number, now_s + number, body)
            resources.save(db, job)
    written = store.bodies.write([b"content"])
    store.record("benchmark", "keys/00000/00000", written)
    store.bodies.path(written.name).unlink()
    _, _, rest = written.name.partition("-")
    names = [(f"keys/{n // 100:05}/{n % 100:05}", f"{n:032x}-{rest}") for n in range(n_objects)]
    for _, name in names:
        store.bodies.path(name).touch()
    with state.transaction() as db:
        (row,) = db.execute("SELECT * FROM s3_object").fetchall()
        values = dict(row)
        db.execute("DELETE FROM s3_object")
        db.executemany(
            f"INSERT INTO s3_object ({','.join(values)}) VALUES ({','.join(f':{name}' for name in values)})",
            [{**values, "key": key, "body": name} for key, name in names],
        )
    state.close()


def calls(emulator: Emulator) -> dict[str, Callable[[], object]]:
    """Return the calls to measure."""
    session = emulator.session()
    sagemaker, s3 = session.client("sagemaker"), session.client("s3")
    jobs, objects = sagemaker.list_training_jobs, s3.list_objects_v2
    last_job = jobs(MaxResults=1)["TrainingJobSummaries"][0]["TrainingJobName"]
    n_folders = sum(1 for _ in emulator.directory.joinpath("objects").iterdir()) // 100
    middle = f"keys/{n_folders // 2:05}/"

    def start() -> None:
        with Emulator(emulator.directory) as another:
            another.session().client("s3").list_buckets()

    return {
        START: start,
        "jobs: first page of 10": jobs,
        "jobs: page of 100 by name": lambda: jobs(MaxResults=100, SortBy="Name", SortOrder="Ascending"),
        "jobs: failed ones": lambda: jobs(StatusEquals="Failed"),
        "jobs: in progress": lambda: jobs(StatusEquals="InProgress"),
        "jobs: name contains": lambda: jobs(NameContains=last_job[-3:]),
        "jobs: describe the last": lambda: sagemaker.describe_training_job(TrainingJobName=last_job),
        "objects: first page": lambda: objects(Bucket="benchmark"),
        "objects: page in the middle": lambda: objects(Bucket="benchmark", StartAfter=middle),
        "objects: middle of a prefix": lambda: objects(Bucket="benchmark", Prefix="keys/", StartAfter=middle),
        "objects: 20 folders": lambda: objects(Bucket="benchmark", Prefix="keys/", Delimiter="/", MaxKeys=20),
        "objects: one folder": lambda: objects(Bucket="benchmark", Prefix=middle, Delimiter="/"),
    }


def run_all(folder: Path, *, keep_account: bool) -> Times:
    """Run every stage anew, in the account of the run directory or in a new one."""
    for entry in (folder / "asteroid-run").glob("*"):
        if entry.is_dir() and not (keep_account and entry.name == "emulator"):
            shutil.rmtree(entry)
        elif entry.is_file():
            entry.unlink()
    return child([sys.executable, "-m", "asteroid_ll", "run-all"], folder=folder)


def cases(n_jobs: int = 5_000, n_objects: int = 100_000) -> Iterator[Case]:
    """Yield each call."""
    with ExitStack() as stack:
        sides = []
        for jobs, objects in ((n_jobs, n_objects), (100, 2_000)):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            with Emulator(folder) as emulator:
                emulator.session().client("s3").create_bucket(Bucket="benchmark")
                emulator.session().client("sagemaker").list_training_jobs()
            fill(Path(folder), n_jobs=jobs, n_objects=objects)
            sides.append(calls(stack.enter_context(Emulator(folder))))
        full, one_page = sides
        for name, call in full.items():
            most = None if name == START else 1 / 3
            call(), one_page[name]()
            yield Case(name, call, (Side("the same in a small account", one_page[name], at_least=most),))
    with tempfile.TemporaryDirectory() as full_folder, tempfile.TemporaryDirectory() as empty_folder:
        account = Path(full_folder, "asteroid-run", "emulator")
        with Emulator(account) as emulator:
            emulator.session().client("s3").create_bucket(Bucket="benchmark")
            emulator.session().client("sagemaker").list_training_jobs()
        fill(account, n_jobs=n_jobs, n_objects=n_objects)
        yield Case(
            "run-all",
            lambda: run_all(Path(full_folder), keep_account=True),
            (
                Side(
                    "the same in an empty account",
                    lambda: run_all(Path(empty_folder), keep_account=False),
                    at_least=1 / 1.3,
                ),
            ),
            rounds=3,
        )


if __name__ == "__main__":
    sys.exit(main("lists", cases(*numbers())))
