"""The documentation site: its commands, configurations and programs are run, its reference is the present one."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import pytest
import yaml

from asteroid_ll.config import dump_markdown, load
from asteroid_ll.emulator.state import ACCOUNT_ID
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.linear_learner.model import Model

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md"))
REPLAYED = [page for page in PAGES if "```console\n" in (ROOT / page).read_text(encoding="utf-8")]
AFTER_A_RUN = "<!-- Replayed in a folder after: asteroid-ll run-all -->"


def blocks(page: str, language: str) -> list[str]:
    """The page's code blocks of a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_the_tests_that_pages_name_exist() -> None:
    named = [
        found
        for page in PAGES
        for found in re.findall(r"`([\w/]+\.py)::(\w+)`", (ROOT / page).read_text(encoding="utf-8"))
    ]
    assert named
    for path, name in named:
        assert f"def {name}(" in (ROOT / "tests" / path).read_text(encoding="utf-8"), f"{path}::{name}"


@pytest.mark.one_in(3)
@pytest.mark.parametrize("page", REPLAYED)
def test_every_command_of_a_page_prints_what_the_page_says(
    documents: Any, page: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder = tmp_path / "newcomer"
    if AFTER_A_RUN in (ROOT / page).read_text(encoding="utf-8"):
        shutil.copytree(request.getfixturevalue("finished_folder"), folder)
    else:
        folder.mkdir()
    differences = [documents.difference(page, replay, folder) for replay in documents.replays(page)]
    assert not any(differences), "\n".join(filter(None, differences))


def test_every_configuration_of_the_pages_is_valid(tmp_path: Path) -> None:
    found = [(page, text) for page in PAGES for text in blocks(page, "yaml")]
    assert found
    for page, text in found:
        path = tmp_path / "page.yaml"
        path.write_text(text, encoding="utf-8")
        assert load(path), page


def test_the_programs_of_the_emulator_guide_run_against_its_server(tmp_path: Path) -> None:
    programs = blocks("docs/emulator.md", "python")
    assert programs
    server = subprocess.Popen(
        [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--state", str(tmp_path / "state")],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        assert server.stdout is not None
        name, _, url = server.stdout.readline().removeprefix("export ").strip().partition("=")
        assert name == "AWS_ENDPOINT_URL"
        secrets = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}
        for program in programs:
            done = subprocess.run(
                [sys.executable, "-c", program],
                cwd=tmp_path,
                env={**os.environ, **secrets, name: url},
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )
            assert done.returncode == 0, done.stderr
    finally:
        server.terminate()
        server.communicate(timeout=30)


def test_the_program_for_the_container_talks_to_it_directly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (program,) = (text for text in blocks("docs/container.md", "python") if "localhost:8080" in text)
    model = Model("regressor", "squared_loss", np.array([[10]], np.float32), np.zeros(1, np.float32))
    model.save(tmp_path / "model" / "model_algo-1")
    server = subprocess.Popen(
        [sys.executable, "-m", "asteroid_ll.linear_learner.container", "serve", "--root", str(tmp_path)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "SAGEMAKER_BIND_TO_PORT": "0"},
    )
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "test")
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    try:
        assert server.stdout is not None
        port = server.stdout.readline().split()[-1]
        exec(program.replace("localhost:8080", f"localhost:{port}"), {})
    finally:
        server.terminate()
        server.communicate(timeout=30)
    assert capsys.readouterr().out == '{"predictions": [{"score": 50.0}]}\n'


def test_the_containers_program_for_sagemaker_runs_against_the_emulator(
    sagemaker_emulator_url: str, tmp_path: Path
) -> None:
    """The emulator stands in for SageMaker, and the built-in image for the account's own."""
    (program,) = (text for text in blocks("docs/container.md", "python") if "create_training_job" in text)
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/linear-learner"
    assert image in program
    boto3.client("s3").create_bucket(Bucket="my-bucket")
    exec(program.replace(image, image_uri("us-east-1")).replace("123456789012", ACCOUNT_ID), {})
    boto3.client("sagemaker").get_waiter("endpoint_in_service").wait(EndpointName="my-linear-learner")
    answer = boto3.client("sagemaker-runtime").invoke_endpoint(
        EndpointName="my-linear-learner", ContentType="text/csv", Body="5"
    )
    (prediction,) = json.loads(answer["Body"].read())["predictions"]
    assert set(prediction) == {"score"}


def test_the_manifest_for_kubernetes_fits_the_image() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ((manifest,),) = (list(yaml.safe_load_all(text)) for text in blocks("docs/container.md", "yml"))
    template = manifest["spec"]["template"]
    assert manifest["spec"]["selector"]["matchLabels"] == template["metadata"]["labels"]
    (container,) = template["spec"]["containers"]
    assert container["args"] == ["serve"]
    assert f"RUN_AS={container['securityContext']['runAsUser']}\n" in dockerfile
    assert f"EXPOSE {container['ports'][0]['containerPort']}\n" in dockerfile
    assert container["readinessProbe"]["httpGet"] == {"path": "/ping", "port": container["ports"][0]["containerPort"]}


def test_the_reference_of_the_configuration_is_the_present_one() -> None:
    """After a change: ``scripts/reference``."""
    text = (ROOT / "docs" / "configuration-reference.md").read_text(encoding="utf-8")
    assert text.partition("\n## ")[1:] == ("\n## ", dump_markdown().removeprefix("## "))


def test_the_page_of_the_emulators_operations_is_the_present_one() -> None:
    """After a change: ``scripts/reference``."""
    text = (ROOT / "docs" / "emulator-operations.md").read_text(encoding="utf-8")
    generated = subprocess.run([sys.executable, ROOT / "scripts" / "operations.py"], capture_output=True, check=True)
    assert text.partition("\n## ")[1:] == ("\n## ", generated.stdout.decode().removeprefix("## "))


def test_every_link_between_the_pages_leads_somewhere() -> None:
    for page in PAGES:
        text = (ROOT / page).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://)([^)#]+)(?:#[^)]*)?\)", text):
            assert (ROOT / "docs" / target).exists(), f"{page} links to {target}"


def test_every_page_is_in_the_sites_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("\nnav:\n")[2]
    assert [page for page in PAGES if f": {page.removeprefix('docs/')}\n" not in navigation] == []


@pytest.mark.interop
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed")
    pytest.importorskip("material", reason="mkdocs-material is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path / "site")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "site" / "index.html").is_file()
