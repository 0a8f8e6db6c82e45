"""``predict --input`` with many rows against a program that makes request bodies with ``np.savetxt``.

    python benchmarks/predict_rows.py [--rows N] [--repeats N] [--json]

The rows are those of the bundled catalogue, repeated. Both programs run as whole processes, in turn, on the same model
and the same file, offline and served. The figures are medians of their wall times, CPU times and peak memory.

The rival loads the file with pandas, computes the run's features with our own code, writes them as bodies of at most
6 MB with ``np.savetxt(fmt="%g")``, has each body answered, and writes identity, name, score and label with
``DataFrame.to_csv``. Offline, a body is read with ``np.loadtxt`` and scored by the model in the same process. Served,
boto3 sends it to the endpoint of an ``emulator serve``, and ``json`` reads the answer. The rival neither checks a cell
nor computes the rule's answer and the probability, which ``predict`` does.

Bounds: at least 10 times as fast offline, 5 times served, and at most 400 MB.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-m", "asteroid_ll"]
MAX_BODY_BYTES = 6 << 20
BOUNDS = {"offline": 10.0, "served": 5.0}
MAX_MB = 400
CREATE_ROLE = """
import boto3, json
def allow(**what): return json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", **what}]})
iam, name = boto3.client("iam"), "asteroid-ll"
trust = allow(Action="sts:AssumeRole", Principal={"Service": "sagemaker.amazonaws.com"})
iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)
iam.put_role_policy(RoleName=name, PolicyName=name, PolicyDocument=allow(Action="*", Resource="*"))
"""


def rival(file: str, run: str, endpoint: str) -> None:
    """Score a file; with an endpoint through boto3, else in this process."""
    import numpy as np
    import pandas as pd

    from asteroid_ll.neo.features import FittedFeatures

    table = pd.read_csv(file)
    features = FittedFeatures.from_json(json.loads(Path(run, "encode/features.json").read_text()))
    matrix = features.transform(table)
    answer = _asked(endpoint) if endpoint else _loaded(run)
    scores: list[Any] = []
    rows_per_body = MAX_BODY_BYTES // (8 * matrix.shape[1])
    for start in range(0, len(matrix), rows_per_body):
        body = io.BytesIO()
        np.savetxt(body, matrix[start : start + rows_per_body], delimiter=",", fmt="%g")
        assert body.tell() <= MAX_BODY_BYTES
        scores += answer(body.getvalue())
    scored = pd.DataFrame(scores)
    pd.concat([table[["asteroid_id", "name"]], scored], axis=1).to_csv("rival.csv", index=False)


def _asked(endpoint: str) -> Callable[[bytes], list[Any]]:
    import boto3

    runtime = boto3.client("sagemaker-runtime")

    def answer(body: bytes) -> list[Any]:
        response = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Accept="application/json", Body=body
        )
        return list(json.loads(response["Body"].read())["predictions"])

    return answer


def _loaded(run: str) -> Callable[[bytes], list[Any]]:
    import numpy as np

    from asteroid_ll.linear_learner.model import Model

    model = Model.load(Path(run, "train/model.tar.gz"))

    def answer(body: bytes) -> list[Any]:
        scores = model.predict(np.loadtxt(io.BytesIO(body), np.float32, delimiter=",", ndmin=2))
        assert scores.predicted_label is not None
        pairs = zip(scores.score.tolist(), scores.predicted_label.tolist(), strict=True)
        return [{"score": score, "predicted_label": label} for score, label in pairs]

    return answer


def measured(command: list[str], folder: Path, environment: dict[str, str]) -> tuple[float, float, float]:
    """Run a program; return its wall time and its CPU time, s, and its peak memory, MB."""
    started = time.perf_counter()
    with (folder / "errors.txt").open("w") as errors:
        process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=errors, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    assert status == 0, (folder / "errors.txt").read_text()
    return wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def write_rows(path: Path, n_rows: int) -> None:
    """Write the catalogue's rows, repeated."""
    import asteroid_ll

    catalogue = Path(asteroid_ll.__file__).parent / "data" / "catalogue.csv.gz"
    with gzip.open(catalogue, "rt", encoding="utf-8-sig") as file:
        header, *lines = file
    with path.open("w", encoding="utf-8") as file:
        file.write(header)
        file.writelines(islice(cycle(lines), n_rows))


@contextmanager
def served(folder: Path) -> Iterator[tuple[dict[str, str], str]]:
    """Serve an account and deploy an endpoint in it; yield the environment of its clients and the endpoint's name."""
    server = subprocess.Popen(
        [*COMMAND, "emulator", "serve", "--port", "0", "--state", "account"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    assert server.stdout is not None
    try:
        url = re.search(r"http://[\d.:]+", server.stdout.readline())
        assert url
        environment = {
            **os.environ,
            "AWS_ENDPOINT_URL": url[0],
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": "us-east-1",
            "ASTEROID_LL_TARGET": "aws",
            "ASTEROID_LL_ROLE_ARN": "arn:aws:iam::000000000000:role/asteroid-ll",
        }
        measured([sys.executable, "-c", CREATE_ROLE], folder, environment)
        measured([*COMMAND, "run-all", "--keep", "--workdir", "served"], folder, environment)
        yield environment, json.loads((folder / "served/deploy/endpoint.json").read_text())["name"]
    finally:
        server.terminate()
        server.wait()


def compare(folder: Path, repeats: int) -> list[dict[str, Any]]:
    """Measure both programs in turn, offline and served; return a row of figures for each."""
    measured([*COMMAND, "run-all"], folder, dict(os.environ))
    predict = [*COMMAND, "predict", "-i", "new.csv", "-o", "scored.csv"]
    rival_of = [sys.executable, str(Path(__file__).resolve()), "--rival", "new.csv"]
    rows = []
    with served(folder) as (environment, endpoint):
        ways = {
            "offline": ([*predict, "--offline"], [*rival_of, "asteroid-run", ""], dict(os.environ)),
            "served": ([*predict, "--workdir", "served"], [*rival_of, "served", endpoint], environment),
        }
        for way, (ours, theirs, variables) in ways.items():
            pairs = [(measured(ours, folder, variables), measured(theirs, folder, variables)) for _ in range(repeats)]
            medians = [
                [statistics.median(pair[who][figure] for pair in pairs) for figure in range(3)] for who in (0, 1)
            ]
            ratio = statistics.median(pair[1][0] / pair[0][0] for pair in pairs)
            rows.append({"way": way, "ours": medians[0], "rival": medians[1], "ratio": ratio, "bound": BOUNDS[way]})
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description="predict --input against np.savetxt bodies")
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--rival", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.rival:
        rival(*arguments.rival)
        return
    with tempfile.TemporaryDirectory() as name:
        write_rows(Path(name) / "new.csv", arguments.rows)
        rows = compare(Path(name), arguments.repeats)
    if arguments.json:
        print(json.dumps({"claim": f"predict --input, {arguments.rows:,} rows", "rows": rows, "max_mb": MAX_MB}))
        return
    print(f"{arguments.rows:,} rows\n\n| | predict | rival | rival's time / ours | at least |\n|---|---|---|---|---|")
    for row in rows:
        figures = " | ".join(
            f"{wall:.2f} s, CPU {cpu:.2f} s, {mb:.0f} MB" for wall, cpu, mb in (row["ours"], row["rival"])
        )
        print(f"| {row['way']} | {figures} | {row['ratio']:.1f} | {row['bound']:g} |")


if __name__ == "__main__":
    main()
