"""Processing jobs of real botocore against the emulator, whose ledger is the judge of what is billed."""

from __future__ import annotations

import dataclasses
import shutil
import sys
import textwrap
import types
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asteroid_ll import own_wheel
from asteroid_ll.aws import billing, jobs, processing, storage, tags, teardown
from asteroid_ll.aws.session import Aws, connect
from asteroid_ll.aws.sweep import open_sweeper
from asteroid_ll.config import Config
from asteroid_ll.emulator import ledger
from asteroid_ll.emulator.account import Account
from asteroid_ll.errors import AwsError, LeakError
from asteroid_ll.processing_container import CODE, ENTRYPOINT, RUN, SETTINGS_FOLDER, local_path
from asteroid_ll.processing_images import default_image
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages import teardown as teardown_stage
from asteroid_ll.stages.stage import Context

REGION, BUCKET = "us-east-1", "bucket-of-ours"
NAME = "asteroid-ll-abc"
RUN_NAME = "test-0123abcd"

CONTAINER = textwrap.dedent(
    """
    import pathlib, sys, time
    root = pathlib.Path(sys.argv[sys.argv.index("--root") + 1])
    wish = (root / "processing/input/settings/settings.json").read_text()
    if wish == "fail":
        (root / "output/message").write_text("no rows are left")
        sys.exit(1)
    while wish == "hang":
        time.sleep(0.01)
    (root / "processing/run/clean/table.csv").write_text("1,2")
    """
)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An account with the objects of the jobs, whose container is a stand-in that takes no time."""
    folder = tmp_path_factory.mktemp("account")
    objects = {f"p/code/{own_wheel.file_name()}": own_wheel.build()}
    objects |= {f"p/{wish}/settings.json": wish.encode() for wish in ("work", "fail", "hang")}
    (folder / "container.py").write_text(CONTAINER)
    with closing(Account(folder / "state")) as emulator:
        emulator.configure(container_command=(sys.executable, str(folder / "container.py")), stop_grace_s=0.1)
    with connect("emulator", region=REGION, emulator_dir=folder / "state") as aws:
        storage.ensure_bucket(aws, BUCKET)
        for key, body in objects.items():
            aws.s3.put_object(Bucket=BUCKET, Key=key, Body=body)
    return folder / "state"


@pytest.fixture
def directory(template: Path, tmp_path: Path, loader: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the account."""
    monkeypatch.setattr("botocore.loaders.create_loader", lambda _path: loader)
    return Path(shutil.copytree(template, tmp_path / "state"))


@pytest.fixture
def aws(directory: Path) -> Iterator[Aws]:
    with connect("emulator", region=REGION, emulator_dir=directory) as made:
        yield made
        for resource in billing.open_resources(made):
            jobs.stop_job(made, "processing-job", resource.name)


def request(
    wish: str = "work", *, name: str = NAME, run: str = RUN_NAME, **more: Any
) -> processing.ProcessingJobRequest:
    made = processing.ProcessingJobRequest(
        name=name,
        image_uri=default_image(REGION),
        entrypoint=ENTRYPOINT,
        role_arn="arn:aws:iam::000000000000:role/learner",
        inputs=[
            processing.ProcessingFolder("code", f"s3://{BUCKET}/p/code/", local_path(CODE)),
            processing.ProcessingFolder("settings", f"s3://{BUCKET}/p/{wish}/", local_path(SETTINGS_FOLDER)),
        ],
        output=processing.ProcessingFolder("clean", f"s3://{BUCKET}/p/{name}/output/", local_path(f"{RUN}/clean")),
        instance_type="ml.m5.xlarge",
        instance_count=1,
        volume_size_gb=1,
        max_runtime_s=600,
        tags=tags.tags(fingerprint="abc", run=run),
    )
    return dataclasses.replace(made, **more)


def intervals(directory: Path) -> list[ledger.BilledInterval]:
    """What is or was billed."""
    with closing(Account(directory)) as emulator:
        emulator.settle()
        return emulator.ledger()


def billed_now(directory: Path) -> list[str]:
    return [item.arn.rpartition("/")[2] for item in intervals(directory) if item.ended_s is None]


def test_a_job_leaves_its_output_and_is_billed_for_the_seconds_that_it_ran(aws, directory):
    assert processing.usable_processing_job_name(aws, NAME) == NAME
    assert processing.create_or_adopt_processing_job(aws, request(instance_count=2)) == "created"
    billed_s = processing.wait_for_processing_job(aws, NAME)
    assert processing.create_or_adopt_processing_job(aws, request(instance_count=2)) == "adopted"
    assert [key for key, _ in storage.list_objects(aws, BUCKET, f"p/{NAME}/output/")] == [f"p/{NAME}/output/table.csv"]
    (interval,) = intervals(directory)
    assert (interval.kind, interval.instance_type, interval.instance_count) == ("processing", "ml.m5.xlarge", 2)
    assert interval.instance_seconds(float("inf")) == pytest.approx(2 * billed_s, abs=0.01)
    assert processing.billed_s_of_ended(aws, NAME) == billed_s
    assert processing.usable_processing_job_name(aws, NAME) == NAME
    storage.delete_object(aws, BUCKET, f"p/{NAME}/output/table.csv")
    assert processing.usable_processing_job_name(aws, NAME) == f"{NAME}-2"


def test_a_failed_job_says_why_is_billed_and_uses_up_its_name(aws, directory):
    processing.create_or_adopt_processing_job(aws, request("fail"))
    with pytest.raises(AwsError, match=f"Processing job {NAME} failed: AlgorithmError") as failed:
        processing.wait_for_processing_job(aws, NAME)
    assert failed.value.context["exit_message"] == "no rows are left"
    assert "/aws/sagemaker/ProcessingJobs" in failed.value.hint
    (interval,) = intervals(directory)
    assert interval.instance_seconds(float("inf")) == pytest.approx(processing.billed_s_of_ended(aws, NAME), abs=0.01)
    assert processing.usable_processing_job_name(aws, NAME) == f"{NAME}-2"


@pytest.mark.one_in(5)
@pytest.mark.parametrize("fault", ["after:reset", "after:read-timeout", "after:503", "after:truncated", "before:500"])
def test_a_create_without_an_answer_starts_one_job(directory, monkeypatch, injector, fault):
    injected = injector.Injector(injector.parse_faults(f"sagemaker:CreateProcessingJob:1:{fault}"))
    monkeypatch.setattr("asteroid_ll.emulator.transport.in_process.attach", injected.attach)
    monkeypatch.setattr("botocore.endpoint.time", types.SimpleNamespace(sleep=lambda _seconds: None))
    with connect("emulator", region=REGION, emulator_dir=directory) as aws:
        outcome = processing.create_or_adopt_processing_job(aws, request())
        assert outcome == ("created" if fault.startswith("before") else "adopted")
        processing.wait_for_processing_job(aws, NAME)
        assert len(aws.sagemaker.list_processing_jobs()["ProcessingJobSummaries"]) == 1
    assert len(intervals(directory)) == 1


def test_a_job_of_another_run_keeps_running_and_its_name(aws, directory):
    processing.create_or_adopt_processing_job(aws, request("hang", run="theirs-89abcdef"))
    with pytest.raises(AwsError, match="a processing job that this run did not make; it was left untouched"):
        processing.create_or_adopt_processing_job(aws, request("hang"))
    assert billed_now(directory) == [NAME]


def test_a_stopped_job_is_no_longer_billed_and_counts_as_a_failure(aws, directory):
    processing.create_or_adopt_processing_job(aws, request("hang"))
    assert [(item.kind, item.name) for item in billing.open_resources(aws)] == [("processing-job", NAME)]
    assert [item.name for item in teardown.find_leftovers(aws, NAME, kinds=["processing-job"])] == [NAME]
    assert jobs.stop_job(aws, "processing-job", NAME) == "stopped"
    assert billed_now(directory) == billing.open_resources(aws) == []
    with pytest.raises(AwsError, match="stopped: a user or another program stopped it"):
        processing.wait_for_processing_job(aws, NAME)
    assert jobs.stop_job(aws, "processing-job", NAME) == "ended"
    assert jobs.stop_job(aws, "processing-job", "asteroid-ll-none") == "absent"
    assert processing.usable_processing_job_name(aws, NAME) == f"{NAME}-2"


def context(aws: Aws, folder: Path, **more: Any) -> Context:
    """What the teardown reads of its context."""
    made = Context(
        config=Config(),
        directory=folder,
        journal=Journal(folder / "journal.jsonl"),
        fingerprint="abc",
        inputs={},
        run=RUN_NAME,
        connect=lambda: aws,
        progress=lambda _line: None,
    )
    return dataclasses.replace(made, **more)


@pytest.mark.one_in(2)
@pytest.mark.parametrize("is_recorded", [False, True], ids=["by-the-tags", "by-the-journal"])
def test_a_teardown_stops_the_jobs_of_its_run_alone(aws, directory, tmp_path, is_recorded):
    here = context(aws, tmp_path / "run")
    if is_recorded:
        here.journal.append("intent", stage="clean", fingerprint="abc", resource=NAME, bills="processing-job")
    processing.create_or_adopt_processing_job(aws, request("hang"))
    processing.create_or_adopt_processing_job(aws, request("hang", name="asteroid-ll-theirs", run="theirs-89abcdef"))
    lines: list[str] = []
    outcome = teardown_stage.run(dataclasses.replace(here, progress=lines.append))
    assert outcome.note == "0 resources deleted, 1 processing job stopped, absence proven by listing"
    assert f"stopping processing job {NAME}" in lines
    assert billed_now(directory) == ["asteroid-ll-theirs"]
    assert here.journal.read().open_resources() == ()
    assert teardown_stage.run(here).note == "nothing was open"


def test_a_teardown_after_a_failure_spares_a_job_and_says_who_else_is_billed(aws, directory, tmp_path):
    here = context(aws, tmp_path / "run", spared=frozenset({"processing-job"}))
    here.journal.append("intent", stage="clean", fingerprint="abc", resource=NAME, bills="processing-job")
    processing.create_or_adopt_processing_job(aws, request("hang"))
    assert teardown_stage.run(here).note == "nothing was open"
    assert billed_now(directory) == [NAME]
    lines: list[str] = []
    teardown_stage.run(context(aws, tmp_path / "other", run="other-00000000", progress=lines.append))
    assert lines == ["1 processing job of another run is billed:   asteroid-ll sweep --all --dry-run"]


@pytest.mark.one_in(3)
@pytest.mark.parametrize("operation", ["StopProcessingJob", "DescribeProcessingJob", "ListProcessingJobs"])
def test_a_denied_teardown_names_what_may_be_billed(directory, tmp_path, monkeypatch, injector, operation):
    with connect("emulator", region=REGION, emulator_dir=directory) as aws:
        processing.create_or_adopt_processing_job(aws, request("hang"))
    injected = injector.Injector(injector.parse_faults(f"sagemaker:{operation}:*:before:access-denied"))
    with monkeypatch.context() as patched:
        patched.setattr("asteroid_ll.emulator.transport.in_process.attach", injected.attach)
        aws = connect("emulator", region=REGION, emulator_dir=directory)
    with aws:
        here = context(aws, tmp_path / "run")
        here.journal.append("intent", stage="clean", fingerprint="abc", resource=NAME, bills="processing-job")
        with pytest.raises(LeakError, match=f"sagemaker:{operation}") as left:
            teardown_stage.run(here)
        assert NAME in left.value.what or operation == "ListProcessingJobs"
        assert len(here.journal.read().open_resources()) == 1 or operation == "ListProcessingJobs"
    with connect("emulator", region=REGION, emulator_dir=directory) as aws:
        assert bool(billed_now(directory)) == (operation != "ListProcessingJobs")
        jobs.stop_job(aws, "processing-job", NAME)


def test_a_sweep_stops_jobs_of_lost_runs(aws, directory):
    processing.create_or_adopt_processing_job(aws, request("hang"))
    with open_sweeper(aws, regions=[REGION], bucket=lambda _region, _account: None, prefix="p") as sweeper:
        survey = sweeper.search()
        (item,) = survey.items
        assert (item.kind, item.name, item.run, item.is_billed) == ("processing-job", NAME, RUN_NAME, True)
        assert item.price_usd_per_h == pytest.approx(0.23)
        assert [str(gone) for gone in sweeper.delete([item], survey).deleted] == [f"processing-job {NAME} in {REGION}"]
    assert billed_now(directory) == []
