"""clean reads no file outside of its run directory, whatever the provenance of its input names."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from asteroid_ll.config import Config
from asteroid_ll.errors import DataError
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages import clean
from asteroid_ll.stages.stage import Context


@pytest.mark.parametrize("name", ["{}/secret.csv", "../../secret.csv"])
def test_a_file_outside_of_the_run_directory_is_not_read(tmp_path: Path, name: str) -> None:
    rows = [f"{i},{15 + i % 12},{0.001 * (1 + i)},{i % 12 <= 7 and i < 50}\n" for i in range(90)]
    (tmp_path / "secret.csv").write_text("asteroid_id,absolute_magnitude_mag,moid_au,hazardous\n" + "".join(rows))
    run = tmp_path / "run"
    (run / "fetch").mkdir(parents=True)
    provenance = {"file": name.format(tmp_path), "location": "x.csv", "source": "csv", "sha256": "", "n_bytes": 1}
    (run / "fetch" / "provenance.json").write_text(json.dumps(provenance | {"credit": ""}))
    context = Context(
        config=Config.model_validate({"source": {"kind": "csv", "location": "x.csv"}}),
        directory=run,
        journal=Journal(run / "journal.jsonl"),
        fingerprint="f" * 64,
        inputs={},
        run="toy-00000000",
        connect=lambda: pytest.fail("clean needs no connection"),
        progress=lambda _line: None,
    )
    with pytest.raises(DataError, match=r"The file x\.csv cannot be read: No such file"):
        clean.run(context)
