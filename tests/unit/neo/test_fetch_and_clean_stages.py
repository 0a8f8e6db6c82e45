import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
import pytest

from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.formats import columns, recordio, table
from asteroid_ll.neo import duplicates, features
from asteroid_ll.neo.sources import tabular
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages import clean, encode, fetch, split
from asteroid_ll.stages.stage import Context

CANARY = "CanaryKey0123456789abcdefCanary"


def context_of(folder: Path, lines: list[str] | None = None, **source: Any) -> Context:
    """A context for stages that need no AWS."""

    def no_aws() -> Any:
        raise AssertionError("these stages need no AWS")

    return Context(
        config=Config.model_validate({"source": source}),
        directory=folder,
        journal=Journal(folder / "journal.jsonl"),
        fingerprint="0" * 64,
        inputs={},
        run="toy-00000000",
        connect=no_aws,
        progress=(lines if lines is not None else []).append,
    )


def card_of(folder: Path) -> dict[str, Any]:
    card: dict[str, Any] = json.loads((folder / "clean" / "data_card.json").read_text())
    return card


def test_a_file_of_a_spreadsheet_is_mended_and_the_card_and_the_findings_say_so(
    export: pd.DataFrame, tmp_path: Path
) -> None:
    changed = export.assign(
        Hazardous=export["Hazardous"].astype(str).str.upper(),
        **{"Orbit Determination Date": "28-06-2017 06:19", "Orbiting Body": "sun"},
    )
    path = tmp_path / "nasa.csv"
    path.write_text(changed.to_csv(index=False))
    context = context_of(tmp_path / "run", kind="csv", location=str(path))
    fetch.run(context)
    outcome = clean.run(context)
    assert set(outcome.outputs) == {"clean/table.npz", "clean/rules.json", "clean/data_card.json"}
    card = card_of(tmp_path / "run")
    assert card["rows"] == {"in": 60, "out": 60}
    assert card["source"]["location"] == str(path)
    assert [(note["kind"], note["column"]) for note in card["notes"]] == [
        ("repaired", "hazardous"),
        ("repaired", "orbit_determination_date"),
        ("lost", "orbit_determination_date"),
        ("repaired", "orbiting_body"),
    ]
    assert "Lost: seconds of the time of day (60 in orbit_determination_date)." in outcome.findings


def test_the_small_body_database_is_fetched_and_cleaned_as_configured(jpl: tuple[Any, str], tmp_path: Path) -> None:
    days = {"rows": "approach", "start_date": "2029-01-01", "end_date": "2029-12-31"}
    context = context_of(tmp_path, kind="sbdb", base_url=jpl[1], **days)
    fetch.run(context)
    clean.run(context)
    card = card_of(tmp_path)
    assert card["rows"]["out"] == 15
    assert card["source"]["credit"] == "NASA/JPL-Caltech, Solar System Dynamics"
    units = {column["name"]: column["unit"] for column in card["columns"]}
    assert (units["miss_distance_au"], units["relative_velocity_km_per_s"]) == ("au", "km/s")


def test_neows_says_what_it_does(neows: tuple[Any, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NASA_API_KEY", CANARY)
    lines: list[str] = []
    outcome = fetch.run(context_of(tmp_path, lines, kind="neows", base_url=neows[1]))
    assert outcome.note.startswith("NASA NeoWs")
    assert lines == ["2 pages to come at 1,000 requests per hour: less than an hour"]


def test_a_fetch_that_fails_leaves_the_earlier_one(jpl: tuple[Any, str], servers: ModuleType, tmp_path: Path) -> None:
    fake, address = jpl
    context = context_of(tmp_path, kind="sbdb", base_url=address)
    fetch.run(context)
    before = {path.name: path.read_bytes() for path in (tmp_path / "fetch").iterdir()}
    fake.before = lambda _: servers.Reply(status=400)
    with pytest.raises(DataError):
        fetch.run(context)
    assert {path.name: path.read_bytes() for path in (tmp_path / "fetch").iterdir()} == before


def test_a_whole_command_writes_the_key_to_no_file_and_no_stream(neows: tuple[Any, str], tmp_path: Path) -> None:
    command = [sys.executable, "-X", "dev", "-W", "ignore", "-m", "asteroid_ll", "run-all", "--until", "clean"]
    options = ["--set", "source.kind=neows", "--set", f"source.base_url={neows[1]}", "--workdir", "run"]
    done = subprocess.run(
        [*command, *options],
        cwd=tmp_path,
        env={**os.environ, "NASA_API_KEY": CANARY},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"neows.jsonl.gz", "provenance.json", "data_card.json", "journal.jsonl"} <= {path.name for path in files}
    assert not any(CANARY.encode() in content for content in (done.stdout, done.stderr, *map(Path.read_bytes, files)))
    assert {request.headers["x-api-key"] for request in neows[0].requests} == {CANARY}


SMALL_BLOCKS = {
    (tabular, "BATCH_ROWS"): 25,
    (table, "_BLOCK_ROWS"): 7,
    (columns, "_FEW"): -1,
    (duplicates, "_COMPARED_AT_ONCE"): 3,
    (features, "_BLOCK_ROWS"): 11,
    (encode, "_BLOCK_ROWS"): 5,
    (recordio, "_BLOCK_BYTES"): 300,
}


@pytest.mark.parametrize("names", ["canonical", "tutorial"])
def test_a_table_of_several_blocks_gives_the_files_of_one_block(
    export: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, names: str
) -> None:
    changed = export.assign(**{"Orbit Determination Date": "28-06-2017 06:19"})
    changed["Name"] = changed["Name"].replace({"2000436": "'=1", "2000450": "Čapek"})
    changed.loc[5, "Absolute Magnitude"] = 99.99
    changed.loc[[7, 8], "Orbiting Body"] = "Venus"
    changed.loc[30, "Orbit Uncertainity"] = np.nan
    elements = ["Eccentricity", "Semi Major Axis", "Inclination", "Asc Node Longitude", "Perihelion Arg"]
    same = [*elements, "Absolute Magnitude", "Miss Dist.(Astronomical)"]
    changed.loc[20, same] = changed.loc[10, same]
    changed.loc[20, "Neo Reference ID"] = "3000453"
    changed = pd.concat([changed, changed.iloc[[3, 41, 3]]], ignore_index=True)
    path = tmp_path / "nasa.csv"
    path.write_text(changed.to_csv(index=False))
    for folder, blocks in (("one", {}), ("several", SMALL_BLOCKS)):
        for (module, constant), size in blocks.items():
            monkeypatch.setattr(module, constant, size)
        context = context_of(tmp_path / folder, kind="csv", location=str(path))
        settings = {"clean": {"export_csv": True, "column_names": names, "drop": ["equinox"]}}
        config = Config.model_validate({"source": context.config.section_values("source"), **settings})
        for stage in (fetch, clean, split, encode):
            stage.run(replace(context, config=config))
    one, several = (
        {str(path.relative_to(tmp_path / name)): path.read_bytes() for path in (tmp_path / name).glob("[ces]*/**/*.*")}
        for name in ("one", "several")
    )
    assert one == several
    assert {"clean/table.npz", "split/rows.npz", "encode/train/linear_train-00000.pbr"} <= set(one)
    counts = [rule["count"] for rule in json.loads((tmp_path / "one" / "clean" / "rules.json").read_text())["rules"]]
    assert counts == [3, 1, 2, 1, 1, 1]
