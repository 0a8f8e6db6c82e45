"""The identity of a run directory: written whole, read back the same, refused in one sentence if damaged."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.config import Config, load
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.run.identity import Identity, differences, new_identity, read_identity, write_identity

CONFIG: dict[str, Any] = {"target": "emulator", "region": "us-east-1", "split": {"seed": 1}}


def identity_of(directory: Path, **changes: Any) -> Identity:
    return replace(new_identity(directory, CONFIG, account=None), **changes)


def test_an_identity_is_read_as_it_was_written_and_is_its_owners_alone(tmp_path: Path) -> None:
    identity = identity_of(tmp_path)
    write_identity(tmp_path, identity)
    assert read_identity(tmp_path) == identity
    assert (tmp_path / "run.json").stat().st_mode & 0o777 == 0o600


def test_a_directory_without_one_has_none(tmp_path: Path) -> None:
    assert read_identity(tmp_path) is None
    assert read_identity(tmp_path / "absent") is None


def test_two_runs_in_one_directory_differ_in_name(tmp_path: Path) -> None:
    names = {identity_of(tmp_path).run for _ in range(50)}
    assert len(names) == 50


@given(st.text(min_size=1, max_size=80).filter(lambda name: "/" not in name and "\0" not in name and name not in "..."))
def test_a_run_has_a_name_that_is_a_tag_and_digits_for_names_of_resources(name: str) -> None:
    identity = identity_of(Path("/runs") / name)
    assert len(identity.run) <= 73
    assert set(identity.run_id) <= set("0123456789abcdef")
    assert len(identity.run_id) == 8
    assert identity.run.isascii()


def test_a_cut_file_is_damaged_at_every_byte(tmp_path: Path) -> None:
    write_identity(tmp_path, identity_of(tmp_path))
    path = tmp_path / "run.json"
    content = path.read_bytes().rstrip()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(DataError, match="is damaged"):
            read_identity(tmp_path)


@pytest.mark.parametrize(
    "change",
    [
        {"run": 5},
        {"run": "no-digits"},
        {"target": None},
        {"account": 7},
        {"config": []},
        {"more": 1},
        {"version": [1]},
        {"began": None},
    ],
)
def test_a_file_with_wrong_values_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    write_identity(tmp_path, identity_of(tmp_path))
    path = tmp_path / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_bytes()), **change}), "utf-8")
    with pytest.raises(DataError):
        read_identity(tmp_path)


@pytest.mark.parametrize("content", ["[]", "null", "1", '"text"', "[" * 100_000, "\udcff"])
def test_a_file_that_is_no_object_is_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / "run.json").write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(DataError, match="is damaged"):
        read_identity(tmp_path)


def test_a_newer_version_is_named(tmp_path: Path) -> None:
    (tmp_path / "run.json").write_text('{"version": 2}', "utf-8")
    with pytest.raises(DataError, match="of version 2, which a newer asteroid-ll wrote"):
        read_identity(tmp_path)


def test_differences_name_the_key_and_both_values() -> None:
    other = {"target": "emulator", "split": {"seed": None, "old": [1]}}
    assert [str(item) for item in differences(CONFIG, other)] == [
        "region: us-east-1, was null",
        "split.seed: 1, was null",
        "split.old: null, was [1]",
    ]
    assert not list(differences(CONFIG, CONFIG))


def test_a_stored_configuration_is_loaded_as_it_was() -> None:
    config = load(None, overrides=["hyperparameters.wd=0.10", "clean.drop=[name]", "predict.threshold=0.5"])
    assert load(None, base=config.model_dump(mode="json")) == config
    assert load(None, base=Config().model_dump(mode="json"), overrides=["split.seed=3"]).split.seed == 3


def test_a_stored_key_that_this_version_lacks_is_named_with_its_file() -> None:
    with pytest.raises(ConfigError, match=r"The run directory has a problem: run.json: split.sead: is not a key"):
        load(None, base={"split": {"sead": 3}})
    with pytest.raises(ConfigError, match=r"The command line has a problem: --set split.seed"):
        load(None, base={"split": {"seed": 3}}, overrides=["split.seed=x"])
