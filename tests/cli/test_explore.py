"""``explore`` on the terminal."""

from __future__ import annotations

import json


def test_the_looks_at_the_table_fit_eighty_columns_also_if_the_stage_is_up_to_date(finished):
    ended = finished.run("explore")
    assert ended.code == 0, ended.err
    assert "up to date" in ended.err
    lines = ended.out.splitlines()
    assert max(map(len, lines)) <= 80
    summary = json.loads(finished.bytes_of("explore/summary.json"))
    assert lines[0].startswith(f"{summary['n_rows']:,} rows x {summary['n_columns']} columns, ")
    for heading in ("Row 1", "Type", "Deviation", "75 %", "Share"):
        assert any(line.startswith("Column ") and heading in line for line in lines)
    text = " ".join(ended.out.split())
    for column in summary["columns"]:
        if column["shape"]:
            assert f"{column['name']}: {column['shape']['text']}" in text


def test_json_has_the_envelope_alone_and_a_dry_run_shows_the_plan(finished):
    assert finished.run("explore", "--json").json["command"] == "explore"
    assert finished.run("explore", "--dry-run").out.startswith("explore")
