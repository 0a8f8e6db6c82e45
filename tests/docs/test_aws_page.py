"""docs/aws.md on an account that begins with no role, no bucket and quotas of 0, and that evaluates every policy.

Its ``sh`` blocks are run here in order. Its ``console`` blocks, which need no account, are in ``test_site.py``.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll import Emulator

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
FIRST = "## From an empty account to a run"
PURCHASED = (
    *("ml.m5.large for training job usage", "ml.t2.medium for endpoint usage"),
    "ml.m5.xlarge for processing job usage",
)
OF_ADMINISTRATOR = re.compile(r"aws |sh setup\.sh|.*\| sh$")
"""Commands for which the user's policy is not enough."""


def commands(text: str) -> list[str]:
    """Return the commands of a page's ``sh`` blocks, for the emulator's account."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    lines = re.sub(r"\\\n\s*", "", "".join(blocks)).splitlines()
    return [re.sub(r"\s+# .*", "", line).replace("123456789012", "000000000000") for line in lines if line.strip()]


class Desk:
    """The folder, the account and the two people of the page: an administrator, and the user ``me``."""

    def __init__(self, emulator: Emulator, url: str, folder: Path) -> None:
        self.emulator = emulator
        self.folder = folder
        iam = emulator.session().client("iam")
        iam.create_user(UserName="me")
        key = iam.create_access_key(UserName="me")["AccessKey"]
        self.keys = {"administrator": ("AKIAADMIN", "secret"), "me": (key["AccessKeyId"], key["SecretAccessKey"])}
        plain = {name: text for name, text in os.environ.items() if not name.startswith(("ASTEROID_LL_", "AWS_"))}
        self.environment = {
            **plain,
            "PATH": os.pathsep.join([str(folder / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(HERE / "quick"),
            "ASTEROID_LL_VENV": sys.prefix,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_DEFAULT_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL": url,
            "COLUMNS": "80",
        }
        (folder / "bin").mkdir(parents=True)
        if os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1" or shutil.which("aws") is None:
            stand_in = folder / "bin/aws"
            stand_in.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{HERE / "aws_command.py"}" "$@"\n')
            stand_in.chmod(0o755)

    def run(self, command: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command as its person."""
        access_key, secret = self.keys["administrator" if OF_ADMINISTRATOR.match(command) else "me"]
        environment = {
            **self.environment,
            "AWS_ACCESS_KEY_ID": access_key,
            "AWS_SECRET_ACCESS_KEY": secret,
            **variables,
        }
        command = re.sub(r"(?<![\w/.])scripts/(?=\w)", f"{ROOT}/scripts/", command)
        return subprocess.run(
            ["/bin/sh", "-c", command],
            cwd=self.folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )

    def must(self, command: str, **variables: str) -> str:
        """Run a command that must succeed; return what it printed."""
        done = self.run(command, **variables)
        assert done.returncode == 0, f"$ {command}\n{done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def write(self, key: str, value: str) -> None:
        """Replace a placeholder in ``asteroid-ll.yaml``, as the page asks for."""
        path = self.folder / "asteroid-ll.yaml"
        path.write_text(re.sub(rf"^{key}: <.*>$", f"{key}: {value}", path.read_text("utf-8"), flags=re.MULTILINE))

    def follow(self, lines: list[str]) -> None:
        """Run the commands of the page, and edit the file when the page says so."""
        for line in lines:
            self.must(line)
            if line.startswith("asteroid-ll config init"):
                self.write("region", "eu-west-1")
            if line == "sh setup.sh":
                self.write("role_arn", "arn:aws:iam::000000000000:role/asteroid-ll")

    def open_intervals(self) -> list[Any]:
        """Return what is billed now."""
        return [interval for interval in self.emulator.ledger() if interval.ended_s is None]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A desk in front of an empty account that evaluates its policies."""
    with Emulator(tmp_path / "account") as emulator, emulator.serve() as url:
        emulator.configure(iam=True, quotas=dict.fromkeys(PURCHASED, 0))
        yield Desk(emulator, url, tmp_path / "desk")


def page() -> str:
    """Return the page."""
    return (ROOT / "docs/aws.md").read_text(encoding="utf-8")


def first_section() -> list[str]:
    """Return the commands that lead from an empty account to a run."""
    return commands(page().partition(FIRST)[2].partition("\n## ")[0])


pytestmark = pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="runs for a minute; .ci/run runs it"
)


def test_the_page_leads_from_an_empty_account_to_a_run_of_which_nothing_is_left(desk: Desk) -> None:
    lines = first_section()
    doctor = lines.index("asteroid-ll doctor")
    desk.follow([line for line in lines[:doctor] if not line.startswith("aws service-quotas")])
    printed = desk.run("asteroid-ll doctor")
    assert printed.returncode == 4, printed.stdout + printed.stderr
    asked = [line for line in lines if line.startswith("aws service-quotas")]
    assert [line.strip() for line in printed.stdout.splitlines() if "request-service-quota" in line] == asked
    assert desk.run("asteroid-ll run-all").returncode == 4
    assert desk.emulator.ledger() == []
    desk.follow(asked + lines[doctor:])
    assert len(desk.emulator.ledger()) == 2
    assert desk.open_intervals() == []


def test_every_other_command_of_the_page_ends_well_for_its_person(desk: Desk) -> None:
    desk.follow(first_section())
    done = first_section()
    lines = [line for line in commands(page()) if line not in done]
    assert len(lines) > 20
    desk.follow(lines)
    assert desk.open_intervals() == []


@pytest.fixture
def ready(desk: Desk) -> Desk:
    """A desk whose account has the roles, the policies and the quotas of the page."""
    desk.follow([line for line in first_section() if not line.startswith("asteroid-ll run-all")])
    return desk


def test_the_smoke_script_passes_and_leaves_nothing(ready: Desk) -> None:
    printed = ready.must("scripts/smoke")
    assert "\nThe smoke run passed.\n" in printed
    assert re.search(r"^Nothing of run asteroid-smoke-[0-9a-f]{8} is left\.$", printed, re.MULTILINE)
    assert [interval.kind for interval in ready.emulator.ledger()] == ["training", "endpoint"]
    assert ready.open_intervals() == []


def test_the_smoke_script_fails_with_6_and_names_what_the_teardown_could_not_delete(ready: Desk) -> None:
    policy = "arn:aws:iam::000000000000:policy/asteroid-ll-caller"
    iam = ready.emulator.session().client("iam")
    document = json.loads(ready.run("asteroid-ll iam caller-policy").stdout)
    for statement in document["Statement"]:
        statement["Action"] = [name for name in statement["Action"] if name != "sagemaker:DeleteEndpoint"]
    iam.detach_user_policy(UserName="me", PolicyArn=policy)
    iam.delete_policy(PolicyArn=policy)
    iam.create_policy(PolicyName="asteroid-ll-caller", PolicyDocument=json.dumps(document))
    iam.attach_user_policy(UserName="me", PolicyArn=policy)
    failed = ready.run("scripts/smoke")
    assert failed.returncode == 6, failed.stdout + failed.stderr
    assert re.search(r"^Left: endpoint asteroid-ll-", failed.stdout, re.MULTILINE)
    assert "sagemaker:DeleteEndpoint" in failed.stderr
    assert [interval.kind for interval in ready.open_intervals()] == ["endpoint"]


def test_the_smoke_script_stops_after_a_failed_check(ready: Desk) -> None:
    ready.emulator.configure(iam=True, quotas=dict.fromkeys(PURCHASED, 0))
    failed = ready.run("scripts/smoke")
    assert failed.returncode == 4, failed.stdout + failed.stderr
    assert "run-all" not in failed.stdout
    assert ready.emulator.ledger() == []
