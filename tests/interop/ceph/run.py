"""Run ceph/s3-tests against our served emulator and against moto server, and compare them per feature.

    python tests/interop/ceph/run.py CHECKOUT [-k EXPRESSION] [--all] [--details FILE]

It exits with 1 if a group that we claim passes fewer tests here than on moto server.
"""

from __future__ import annotations

import argparse
import json
import os
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from groups import GROUPS

FOLDER = Path(__file__).resolve().parent
DEVIATIONS = GROUPS["deviations"]
SERVERS = ["asteroid-ll", "moto"]
KEY, SECRET = "MAINKEYMAINKEY000000", "main-secret"
CONFIGURATION = """
[DEFAULT]
host = 127.0.0.1
port = {port}
is_secure = False
ssl_verify = False
[fixtures]
bucket prefix = s3t-{{random}}-
[s3 main]
display_name = {DisplayName}
user_id = {ID}
email = main@example.com
access_key = {key}
secret_key = {secret}
"""
OTHERS = ("s3 alt", "s3 tenant", "iam", "iam root", "iam alt root")
OTHER = """
[{name}]
display_name = {word}
user_id = {word}
email = {word}@example.com
tenant = {word}
access_key = {word:A<20.20}
secret_key = {word}-secret
"""


@contextmanager
def server(name: str, port: int, folder: Path) -> Iterator[None]:
    """Serve an empty account on a port."""
    emulator = [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--state", str(folder / "state")]
    command = {
        "asteroid-ll": emulator,
        "strict": [*emulator, "--strict-signatures"],
        "moto": [str(Path(sys.executable).with_name("moto_server"))],
    }[name]
    keys = {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
    with (folder / f"{name}.log").open("w") as log:
        process = subprocess.Popen([*command, "--port", str(port)], stdout=log, stderr=log, env=os.environ | keys)
        try:
            yield
        finally:
            process.terminate()
            process.wait(timeout=30)


def configuration(port: int) -> str:
    """Return the suite's configuration. The owner of the buckets is the one that the server names."""
    client = boto3.client(
        "s3",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id=KEY,
        aws_secret_access_key=SECRET,
        config=Config(retries={"total_max_attempts": 1}),
    )
    for _ in range(300):
        try:
            owner = client.list_buckets()["Owner"]
            break
        except BotoCoreError:
            time.sleep(0.2)
    text = CONFIGURATION.format(port=port, key=KEY, secret=SECRET, **{"DisplayName": "", **owner})
    return text + "".join(OTHER.format(name=name, word=name.replace(" ", "")) for name in OTHERS)


def outcomes(name: str, suite: Path, arguments: list[str]) -> dict[str, Any]:
    """Run the suite against a server; return the markers and the outcome of each test."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with TemporaryDirectory() as text, server(name, port, folder := Path(text)):
        (folder / "s3tests.conf").write_text(configuration(port))
        files = [f"s3tests/functional/{file}" for file in GROUPS["files"]]
        options = ["-q", "-p", "no:cacheprovider", "-p", "suite_plugin", "--tb=short", "--timeout=120"]
        subprocess.run(
            [sys.executable, "-m", "pytest", *options, *files, *arguments],
            cwd=suite,
            env=os.environ
            | {
                "S3TEST_CONF": str(folder / "s3tests.conf"),
                "CEPH_OUTCOMES": str(folder / "outcomes.json"),
                "PYTHONPATH": str(FOLDER),
            },
            stdout=sys.stderr,
            check=False,
        )
        results: dict[str, Any] = json.loads((folder / "outcomes.json").read_text())
    return {test: entry for test, entry in results.items() if entry["outcome"] in ("passed", "failed")}


def table(results: dict[str, dict[str, Any]]) -> list[str]:
    """Print the tests that passed per group and server; return the claimed groups with fewer here than on moto."""
    servers, first = list(results), next(iter(results.values()))
    counted = {test: entry["group"] for test, entry in first.items() if test not in DEVIATIONS}
    sizes, below = Counter(counted.values()), []
    print("| group | claimed | tests | " + " | ".join(servers) + " |\n|---|---|---|" + "---|" * len(servers))
    for group in GROUPS["group"]:
        name = group["name"]
        if name not in sizes:
            continue
        passed = [
            sum(counted.get(test) == name and entry["outcome"] == "passed" for test, entry in results[server].items())
            for server in servers
        ]
        print(f"| {name} | {'yes' if group['claimed'] else 'no'} | {sizes[name]} | {' | '.join(map(str, passed))} |")
        if group["claimed"] and servers == SERVERS and passed[0] < passed[1]:
            below.append(name)
    others = [test for test in first if test in DEVIATIONS]
    passed = [sum(results[server][test]["outcome"] == "passed" for test in others) for server in servers]
    print(f"| not as on AWS | | {len(others)} | {' | '.join(map(str, passed))} |")
    return below


def main() -> int:
    """Print the table; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("checkout", type=Path, help="a checkout of https://github.com/ceph/s3-tests")
    parser.add_argument("-k", default="", help="only the tests of this expression of pytest")
    parser.add_argument("--all", action="store_true", help="also the groups that the emulator does not claim")
    parser.add_argument("--server", action="append", help="asteroid-ll, strict or moto; default: without strict")
    parser.add_argument("--details", type=Path, help="write each outcome to this file (JSON)")
    options = parser.parse_args()
    if options.all:
        os.environ["CEPH_ALL"] = "1"
    arguments = ["-k", options.k] if options.k else []
    results = {name: outcomes(name, options.checkout, arguments) for name in options.server or SERVERS}
    if options.details:
        options.details.write_text(json.dumps(results, indent=1))
    below = table(results)
    for name in below:
        print(f"\nBelow moto server in: {name}")
        for test, entry in results["asteroid-ll"].items():
            if entry["group"] == name and entry["outcome"] != results["moto"][test]["outcome"]:
                print(f"  {test}: {entry.get('error', '')}")
    return bool(below)


if __name__ == "__main__":
    sys.exit(main())
