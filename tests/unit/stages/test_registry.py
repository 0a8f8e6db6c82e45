"""What the planner relies on in every stage's record."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module

import pytest

from asteroid_ll.config import Config
from asteroid_ll.pipeline.ownership import stored_form
from asteroid_ll.stages.registry import STAGES, import_ahead, stages_of

NAMES = [stage.name for stage in STAGES]
CHANGES = {
    "source": ({"kind": "csv", "location": "a.csv"}, {"fetch", "clean"}),
    "clean": ({"export_csv": True}, {"clean"}),
    "features": ({"n_knots": 7}, {"encode"}),
    "split": ({"seed": 1}, {"split", "encode"}),
    "bucket": ("somebodys-bucket", {"upload"}),
    "training": ({"max_runtime_s": 600}, {"train"}),
    "hyperparameters": ({"predictor_type": "binary_classifier", "epochs": 3}, {"train"}),
    "hosting": ({"instance_count": 2}, {"deploy"}),
    "predict": ({"threshold": 0.25}, {"predict"}),
    "cost": ({"max_usd": 2.0}, set()),
    "kms": ({"s3": "alias/a"}, {"upload"}),
    "network": ({"isolation": True}, {"train", "deploy"}),
    "tags": ({"team": "rocks"}, set()),
    "account": ({"profile": "work"}, set()),
    "stages": ({"where": "processing"}, set()),
    "processing": ({"instance_type": "ml.m5.2xlarge"}, set()),
}
"""A change of each section, and the stages of the work for which it counts."""

FOR_PEOPLE = {"report"}
"""Stages that show what others did, and may read any setting to say so."""


def test_names_are_unique_and_a_stage_comes_after_those_it_needs():
    assert len(set(NAMES)) == len(NAMES)
    for stage in STAGES:
        earlier = NAMES[: NAMES.index(stage.name)]
        assert set(stage.needs) | set(stage.uses) | set(stage.undoes) <= set(earlier)


def test_what_is_transient_is_undone_or_undoes():
    undone = {name for stage in STAGES for name in stage.undoes}
    undoing = {stage.name for stage in STAGES if stage.undoes}
    assert undone | undoing == {stage.name for stage in STAGES if stage.transient}


@pytest.mark.parametrize("stage", STAGES, ids=NAMES)
def test_settings_are_json_and_the_same_each_time(stage):
    first, second = (json.dumps(stage.settings(Config()), sort_keys=True) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("section", CHANGES)
def test_a_setting_counts_for_the_stages_that_read_it_and_for_no_other(section):
    value, readers = CHANGES[section]
    changed = Config(**{section: value})
    differing = {stage.name for stage in STAGES if stage.settings(changed) != stage.settings(Config())}
    assert differing - FOR_PEOPLE == readers


def test_each_kms_key_counts_for_the_stages_that_send_it():
    key = "1234abcd-12ab-34cd-56ef-1234567890ab"
    for name, readers in (("volume", {"train", "deploy"}), ("output", {"train"})):
        changed = Config.model_validate({"kms": {name: key}})
        differing = {stage.name for stage in STAGES if stage.settings(changed) != stage.settings(Config())}
        assert differing - FOR_PEOPLE == readers


@pytest.mark.parametrize("section", ["account", "stages", "processing"])
def test_whose_credentials_and_machines_they_are_does_not_change_the_report(section):
    report = STAGES[NAMES.index("report")]
    changed = Config.model_validate({section: CHANGES[section][0]})
    assert report.settings(changed) == report.settings(Config())


@pytest.mark.parametrize("name", NAMES)
def test_every_stage_has_a_module_of_its_name_with_the_function_run(name):
    assert callable(import_module(f"asteroid_ll.stages.{name}").run)


def test_every_stage_says_in_a_line_what_it_does():
    assert all(stage.summary.endswith(".") and len(stage.summary) < 80 for stage in STAGES)


MODES = {
    "endpoint": {"instance_type", "instance_count", "variant_name", "keep_for_h"},
    "serverless": {"mode", "memory_size_mb", "max_concurrency", "variant_name", "keep_for_h"},
    "batch": {"mode"},
}


@pytest.mark.parametrize("mode", MODES)
def test_the_deployment_depends_on_the_settings_of_its_mode_alone(mode):
    deploy = next(stage for stage in STAGES if stage.name == "deploy")
    assert set(deploy.settings(Config(hosting={"mode": mode}))["hosting"]) == MODES[mode]


def test_keys_that_older_run_directories_lack_are_stored_only_if_they_are_set():
    assert set(stored_form(Config())["hosting"]) == MODES["endpoint"]
    assert stored_form(Config(hosting={"mode": "batch"}))["hosting"]["mode"] == "batch"
    report = next(stage for stage in STAGES if stage.name == "report")
    assert set(report.settings(Config())["hosting"]) == MODES["endpoint"]
    assert "mode" in report.settings(Config(hosting={"mode": "serverless"}))["hosting"]


@pytest.mark.parametrize("in_batch", [False, True])
@pytest.mark.parametrize("where", ["local", "processing"])
def test_stages_have_the_same_fingerprints_however_they_run(where, in_batch):
    config = Config(stages={"where": where})
    for stage, variant in zip(STAGES, stages_of(config, in_batch=in_batch), strict=True):
        same = ("name", "version", "needs", "transient", "result", "undoes")
        assert [getattr(stage, name) for name in same] == [getattr(variant, name) for name in same]
        assert stage.settings(Config()) == variant.settings(config)
    assert callable(import_module("asteroid_ll.stages.predict").run_in_batch)


def test_clean_and_encode_are_priced_only_as_jobs():
    def priced(where):
        return {stage.name for stage in stages_of(Config(stages={"where": where})) if stage.is_priced}

    assert priced("processing") - priced("local") == {"clean", "encode"}


AHEAD = """
import sys
from asteroid_ll.config import Config
from asteroid_ll.stages.registry import import_ahead
modules = ["asteroid_ll.stages.upload", "asteroid_ll.stages.report", "asteroid_ll.emulator.account", "matplotlib"]
for _ in import_ahead(["upload", "report"], Config()):
    print(*(module in sys.modules for module in modules))
"""


def test_stages_are_imported_ahead_in_two_parts_of_which_the_second_is_matplotlib():
    done = subprocess.run([sys.executable, "-c", AHEAD], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["True True True False", "True True True True"]


def test_a_stage_that_cannot_be_imported_ahead_is_left_to_its_own_start():
    assert len(list(import_ahead(["absent"], Config()))) == 2
