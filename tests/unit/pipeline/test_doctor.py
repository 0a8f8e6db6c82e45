"""The checks that need no account, and those of the run directory, each failed once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll import Emulator
from asteroid_ll.aws.checks.check import Check, failed, ok, unchecked
from asteroid_ll.aws.pricing import Price
from asteroid_ll.config import Config, load
from asteroid_ll.emulator.sessions import data_loader
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.pipeline.doctor import diagnose, failure_of, needs_of, require_account, summary
from asteroid_ll.pipeline.ownership import Ownership
from asteroid_ll.report.bill import worst_case
from asteroid_ll.run.journal import Journal

ON_AWS = ("target=aws", "role_arn=arn:aws:iam::000000000000:role/learner")


def config(*overrides: str) -> Config:
    return load((), overrides=overrides)


def result(name: str, directory: Path, *overrides: str) -> Check:
    """Return the result of one check, without those after it."""
    return next(check for check in diagnose(config(*overrides), directory) if check.name == name)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Emulator]:
    """An account over HTTP, with credentials that expire."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "emulator")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "emulator")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "emulator")
    monkeypatch.setenv("AWS_CREDENTIAL_EXPIRATION", "2100-01-31T12:00:00Z")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setattr("botocore.loaders.create_loader", lambda _path: data_loader())  # read once for all tests
    with Emulator(tmp_path / "state") as emulator, emulator.serve() as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        yield emulator


@pytest.mark.parametrize(
    ("content", "status", "fact"),
    [
        (b"a,b\n", "ok", "rocks.csv, 0.0 MB"),
        (b"", "failed", "rocks.csv is empty"),
        (None, "failed", "rocks.csv cannot be read: No such file or directory"),
    ],
)
@pytest.mark.parametrize("form", ["{}", "file://{}"])
def test_a_local_source_must_be_a_file_with_content(
    tmp_path: Path, content: bytes | None, status: str, fact: str, form: str
) -> None:
    path = tmp_path / "rocks.csv"
    if content is not None:
        path.write_bytes(content)
    check = result("data", tmp_path, "source.kind=csv", f"source.location={form.format(path)}")
    assert (check.status, check.fact) == (status, f"{tmp_path}/{fact}")
    assert bool(check.fixes) == (status == "failed")
    assert check.kind is DataError or status == "ok"


@pytest.mark.parametrize(
    ("overrides", "fact"),
    [
        (
            ("source.kind=csv", "source.location=https://me:secret@example.org/rocks.csv?key=secret"),
            "https://example.org/rocks.csv is read by the run",
        ),
        (("source.kind=neows",), "NASA NeoWs is read by the run"),
    ],
)
def test_a_remote_source_is_not_read_and_its_secrets_are_not_shown(
    tmp_path: Path, overrides: tuple[str, ...], fact: str
) -> None:
    check = result("data", tmp_path, *overrides)
    assert (check.status, check.fact) == ("unchecked", fact)


def test_a_region_without_an_image_fails(tmp_path: Path) -> None:
    check = result("image", tmp_path, "region=mx-central-1")
    assert (check.status, check.fact) == ("failed", "No Linear Learner image is known for region 'mx-central-1'")
    assert check.fixes == ("asteroid-ll doctor --set region=us-east-1",)


def test_hyperparameters_that_the_algorithm_refuses_fail(tmp_path: Path) -> None:
    values = {"predictor_type": "multiclass_classifier", "num_classes": "2"}
    wrong = Config().model_copy(update={"hyperparameters": values})
    check = next(diagnose(wrong, tmp_path))
    assert (check.name, check.status, check.kind) == ("hyperparameters", "failed", ConfigError)
    assert "num_classes" in check.fact
    assert check.fixes == ("asteroid-ll config validate",)


def test_a_run_directory_of_another_region_or_account_fails(tmp_path: Path, account: Emulator) -> None:
    directory = tmp_path / "run"
    assert result("run directory", directory, *ON_AWS).fact == f"{directory} is new"
    assert (
        result("credentials", directory, *ON_AWS).fact
        == "arn:aws:iam::000000000000:user/emulator, until 2100-01-31 12:00 UTC"
    )
    assert not directory.exists()
    Ownership(directory, Journal(directory / "journal.jsonl"), config(*ON_AWS), command="run-all", writes=True)
    elsewhere = result("run directory", directory, *ON_AWS, "region=us-east-2")
    assert (elsewhere.status, elsewhere.kind) == ("failed", ConfigError)
    assert elsewhere.fixes == ("asteroid-ll doctor --workdir other-run",)
    stored: dict[str, Any] = json.loads((directory / "run.json").read_text())
    (directory / "run.json").write_text(json.dumps({**stored, "account": "123456789012"}))
    other = result("run directory", directory, *ON_AWS)
    assert "is on target aws, region us-east-1, account 123456789012; this command is for" in other.fact
    assert other.fixes == ("aws configure",)


def test_a_type_without_a_price_fails_with_the_key_for_it(tmp_path: Path, account: Emulator) -> None:
    check = result("price", tmp_path / "run", *ON_AWS, "training.instance_type=ml.p5e.48xlarge")
    assert check.status == "failed"
    assert check.fixes == ("asteroid-ll doctor --set 'cost.price_usd_per_h={ml.p5e.48xlarge: 1.23}'",)


def test_only_the_stages_that_run_need_machines() -> None:
    settings = config("training.instance_count=1", "hosting.instance_count=3")
    price = worst_case(settings, {})
    quotas = {
        stages: [(need.quota, need.count) for need in needs_of(settings, price, stages=stages)]
        for stages in (("train", "deploy"), ("deploy", "predict"), ("upload",))
    }
    hosting = ("ml.t2.medium for endpoint usage", 3)
    assert quotas == {
        ("train", "deploy"): [("ml.m5.large for training job usage", 1), hosting],
        ("deploy", "predict"): [hosting],
        ("upload",): [],
    }


@pytest.mark.parametrize(("stages", "count"), [(("clean",), 1), (("clean", "encode", "upload"), 3), (("encode",), 3)])
def test_stages_that_run_as_jobs_need_their_machines(stages: tuple[str, ...], count: int) -> None:
    settings = config("stages.where=processing", "processing.instance_count=3", "encode.n_shards=3")
    price = worst_case(settings, {})
    (need,) = needs_of(settings, price, stages=stages)
    assert (need.quota, need.count, need.is_priced) == ("ml.m5.xlarge for processing job usage", count, False)
    assert not needs_of(config(), price, stages=stages)
    listed = {("Processing", "ml.m5.xlarge"): Price(0.23, "price-list", "us-east-1", "2026-11-30")}
    (need,) = needs_of(settings, worst_case(settings, listed), stages=stages)
    assert need.is_priced


def test_the_image_of_the_jobs_is_named(tmp_path: Path) -> None:
    image = "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:3.12"
    check = result("image", tmp_path, "stages.where=processing", f"processing.image_uri={image}")
    assert check.fact.endswith(f"; of processing jobs {image}")
    assert "processing" not in result("image", tmp_path).fact


def test_the_error_of_several_failures_is_of_the_kind_of_the_first() -> None:
    checks = [ok("a", ""), failed("b", "", kind=DataError), unchecked("c", ""), failed("d", "")]
    error = failure_of(checks)
    assert isinstance(error, DataError)
    assert error.what == "2 checks failed: b, d."
    assert summary(checks) == "1 check ok, 2 failed, 1 unchecked"
    assert failure_of(checks[:1]) is None
    assert error.hint == "Correct it, then check again:   asteroid-ll doctor"
    fixable = failure_of([failed("b", ""), failed("c", "", "aws configure")])
    assert fixable is not None
    assert fixable.hint == "Run the command below each, then check again:   asteroid-ll doctor"


def test_a_profile_that_does_not_exist_has_the_command_that_makes_it(tmp_path: Path, account: Emulator) -> None:
    check = result("credentials", tmp_path / "run", *ON_AWS, "account.profile=my work")
    assert check.fact == "There is no profile my work in the AWS settings of this machine"
    assert check.fixes == ("aws configure --profile 'my work'",)


def test_an_upload_alone_asks_only_for_the_bucket(tmp_path: Path, account: Emulator) -> None:
    from asteroid_ll.aws.session import connect

    settings = config(*ON_AWS)
    lines: list[str] = []
    with connect("aws", region="us-east-1", emulator_dir=tmp_path) as aws:
        require_account(aws, settings, worst_case(settings, {}), stages=("upload",), note=lines.append)
    assert lines == ["doctor    1 check ok"]
