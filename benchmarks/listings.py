"""List operations and ``run-all`` on a full account, beside the same on a small one.

    python benchmarks/listings.py [jobs] [objects]

It fills an account of the emulator in a temporary directory with training jobs and objects, by rows of its database,
and measures calls through boto3: each figure is the median CPU time of five. "alone" is the same call, with a page of
the same length, if the account has one page of jobs and two pages of objects. Bound: at most three times.

``run-all`` runs as a process in turn on a full and on an empty account, whose state is in the run directory. Its
figures are medians of the wall time of five. Bound: at most 1.3 times.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from asteroid_ll import Emulator
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource, Resources
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.state import State

RUNS = 5
REGION = "us-east-1"
STATUSES = ("Completed",) * 18 + ("Failed", "Stopped")


def cpu_ms(work: Callable[[], object]) -> float:
    """Return the median CPU time of some work after one warm-up, in milliseconds."""
    times = []
    for _ in range(RUNS + 1):
        started = time.process_time()
        work()
        times.append(time.process_time() - started)
    return statistics.median(times[1:]) * 1e3


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
        "start, list the buckets": start,
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


N_JOBS = int(sys.argv[1]) if len(sys.argv) > 1 else 5_000
N_OBJECTS = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000


def measured(*, n_jobs: int, n_objects: int) -> dict[str, float]:
    """Return the time of each call on an account of that size, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        with Emulator(folder) as emulator:
            emulator.session().client("s3").create_bucket(Bucket="benchmark")
            emulator.session().client("sagemaker").list_training_jobs()
        fill(Path(folder), n_jobs=n_jobs, n_objects=n_objects)
        with Emulator(folder) as emulator:
            return {name: cpu_ms(call) for name, call in calls(emulator).items()}


def run_all_ms(*, is_full: bool) -> float:
    """Return the wall time of ``run-all`` in a new folder, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        if is_full:
            state = Path(folder) / "asteroid-run" / "emulator"
            with Emulator(state) as emulator:
                emulator.session().client("s3").create_bucket(Bucket="benchmark")
                emulator.session().client("sagemaker").list_training_jobs()
            fill(state, n_jobs=N_JOBS, n_objects=N_OBJECTS)
        started = time.perf_counter()
        command = [sys.executable, "-m", "asteroid_ll", "run-all"]
        subprocess.run(command, cwd=folder, capture_output=True, check=True)
        return (time.perf_counter() - started) * 1e3


def main() -> None:
    """Print one line per call."""
    full, alone = measured(n_jobs=N_JOBS, n_objects=N_OBJECTS), measured(n_jobs=100, n_objects=2_000)
    pairs = [(run_all_ms(is_full=True), run_all_ms(is_full=False)) for _ in range(RUNS)]
    full["run-all"], alone["run-all"] = (statistics.median(pair[who] for pair in pairs) for who in (0, 1))
    print(f"{N_JOBS:,} jobs, {N_OBJECTS:,} objects {'ms':>16} {'alone':>9} {'ratio':>7}")
    for name, full_ms in full.items():
        print(f"{name:32} {full_ms:9.2f} {alone[name]:9.2f} {full_ms / alone[name]:7.1f}")


if __name__ == "__main__":
    main()
