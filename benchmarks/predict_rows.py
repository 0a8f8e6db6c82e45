"""``predict --input`` with many rows beside a program that makes request bodies with ``np.savetxt``.

    python benchmarks/predict_rows.py [rows] [--json]

The rows are those of the bundled catalogue, repeated. Both programs run as whole processes on the same model and the
same file.

The rival loads the file with pandas, computes the run's features with our own code, writes them as bodies of at most 6
MB with ``np.savetxt(fmt="%g")``, has each body answered, and writes identity, name, score and label with
``DataFrame.to_csv``. Offline, a body is read with ``np.loadtxt`` and scored by the model in the same process. Served,
boto3 sends it to the endpoint of an ``emulator serve``, and ``json`` reads the answer. The rival neither checks a cell
nor computes the rule's answer and the probability, which ``predict`` does. The least work is to read the rows with
Python's ``csv`` and to write five of their cells.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle, islice
from pathlib import Path
from typing import Any

from frame import Case, Side, child, main, numbers

COMMAND = [sys.executable, "-m", "asteroid_ll"]
MAX_BODY_BYTES = 6 << 20
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
        child([sys.executable, "-c", CREATE_ROLE], folder=folder, environment=environment)
        child([*COMMAND, "run-all", "--keep", "--workdir", "served"], folder=folder, environment=environment)
        yield environment, json.loads((folder / "served/deploy/endpoint.json").read_text())["name"]
    finally:
        server.terminate()
        server.wait()


def rewrite(folder: Path) -> None:
    """Read the rows and write some of their cells."""
    with (folder / "new.csv").open(newline="") as source, (folder / "least.csv").open("w", newline="") as target:
        csv.writer(target).writerows(row[:5] for row in csv.reader(source))


def cases(n_rows: int = 1_000_000) -> Iterator[Case]:
    """Yield scoring offline and through a served endpoint."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_rows(folder / "new.csv", n_rows)
        child([*COMMAND, "run-all"], folder=folder)
        predict = [*COMMAND, "predict", "-i", "new.csv", "-o", "scored.csv"]
        rival_of = [sys.executable, Path(__file__).resolve(), "--rival", "new.csv"]
        with served(folder) as (environment, endpoint):
            for way, ours, theirs, variables, at_least in (
                ("offline", ["--offline"], ["asteroid-run", ""], None, 10),
                ("served", ["--workdir", "served"], ["served", endpoint], environment, 5),
            ):

                def run(command: list[Any], variables: dict[str, str] | None = variables) -> object:
                    return child(command, folder=folder, environment=variables)

                yield Case(
                    f"predict --input, {way}, {n_rows:,} rows",
                    lambda run=run, ours=ours: run([*predict, *ours]),  # type: ignore[misc]
                    (
                        Side(
                            "np.savetxt bodies",
                            lambda run=run, theirs=theirs: run([*rival_of, *theirs]),  # type: ignore[misc]
                            at_least=at_least,
                        ),
                        Side("Python's csv", lambda: rewrite(folder), is_bound=True),
                    ),
                    clock="wall",
                    peak_at_most_mb=MAX_MB,
                    unit=("rows", n_rows),
                    rounds=3,
                )


if __name__ == "__main__":
    if "--rival" in sys.argv:
        rival(*sys.argv[2:])
    else:
        sys.exit(main("new-rows", cases(*numbers())))
