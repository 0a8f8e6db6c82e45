"""The container of a processing job does what the stage does on this machine."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from asteroid_ll import own_wheel
from asteroid_ll import processing_container as contract
from asteroid_ll.config import Config
from asteroid_ll.errors import AsteroidError, DataError
from asteroid_ll.pipeline.container import main
from asteroid_ll.run.files import write_json
from asteroid_ll.run.journal import Journal
from asteroid_ll.stages.documents import failure_of, settings_document
from asteroid_ll.stages.registry import STAGES
from asteroid_ll.stages.stage import Context, Outcome

STAGE = {stage.name: stage for stage in STAGES}
CONFIG = Config.model_validate(
    {
        "source": {"kind": "csv", "location": "asteroids.csv"},
        "clean": {"drop": ["name"], "export_csv": True},
        "features": {"set": "physics"},
        "encode": {"n_shards": 4},
        "split": {"seed": 5},
    }
)
ROWS = [f"{i},A{i},{15 + i % 12},{0.001 * (1 + i % 90):.3f},{i % 12 <= 7 and i % 90 < 50}" for i in range(300)]


def run_here(name: str, directory: Path) -> Outcome:
    """Run a stage in a run directory of this machine."""
    context = Context(
        config=CONFIG,
        directory=directory,
        journal=Journal(directory / "journal.jsonl"),
        fingerprint="f" * 64,
        inputs={},
        run="toy-00000000",
        connect=lambda: pytest.fail("there is no connection"),
        progress=lambda _line: None,
    )
    return STAGE[name].run(context)


def prepare(root: Path, name: str, run: Path, *, host: str = "algo-1", hosts: Sequence[str] = ("algo-1",)) -> None:
    """Write what SageMaker writes: the inputs, the settings and the names of the hosts."""
    for need in STAGE[name].needs:
        shutil.copytree(run / need, root / contract.RUN / need)
    settings = root / contract.SETTINGS
    settings.parent.mkdir(parents=True)
    settings.write_bytes(settings_document(name, STAGE[name].settings(CONFIG)))
    resources = {"current_host": host, "hosts": list(hosts)}
    write_json(root / contract.RESOURCES, resources)


def files_of(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def without_outcomes(files: dict[str, bytes]) -> dict[str, bytes]:
    return {name: content for name, content in files.items() if not name.startswith(contract.OUTCOMES)}


def failure_in(root: Path) -> AsteroidError:
    message = (root / contract.MESSAGE).read_text("utf-8")
    failure = failure_of(message)
    assert failure is not None, message
    return failure


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    """A run directory with a table."""
    run = tmp_path / "here"
    (run / "fetch").mkdir(parents=True)
    header = "asteroid_id,name,absolute_magnitude_mag,moid_au,hazardous"
    (run / "fetch" / "asteroids.csv").write_text("\n".join([header, *ROWS]) + "\n")
    facts = {"location": "asteroids.csv", "n_bytes": 1, "sha256": "0" * 64, "fetched_at": "2026-01-01T00:00:00+00:00"}
    write_json(run / "fetch" / "provenance.json", {"file": "asteroids.csv", "title": "a table", **facts})
    return run


def test_clean_writes_the_same_bytes_and_its_outcome(fetched: Path, tmp_path: Path) -> None:
    root = tmp_path / "ml"
    prepare(root, "clean", fetched)
    assert main([str(root)]) == 0
    here = run_here("clean", fetched)
    written = files_of(root / contract.RUN / "clean")
    assert without_outcomes(written) == files_of(fetched / "clean")
    outcome = json.loads(written["outcome-algo-1.json"])
    assert outcome["outputs"] == list(here.outputs)
    assert outcome["note"] == here.note
    assert outcome["findings"] == list(here.findings)
    assert set(outcome["sha256"]) == set(here.outputs)


def test_the_machines_of_encode_write_the_same_bytes_together(fetched: Path, tmp_path: Path) -> None:
    for name in ("clean", "split", "encode"):
        here = run_here(name, fetched)
    hosts = ["algo-1", "algo-2", "algo-3"]
    together: dict[str, bytes] = {}
    for host in hosts:
        root = tmp_path / host
        prepare(root, "encode", fetched, host=host, hosts=hosts)
        assert main([str(root)]) == 0
        written = files_of(root / contract.RUN / "encode")
        outcome = json.loads(written[f"outcome-{host}.json"])
        assert outcome["outputs"] == list(here.outputs)
        assert set(outcome["sha256"]) == {f"encode/{name}" for name in without_outcomes(written)}
        assert not without_outcomes(written).keys() & together.keys()
        together |= without_outcomes(written)
    assert together == files_of(fetched / "encode")


def test_a_refused_table_gives_the_sentence_of_this_machine(
    fetched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = fetched / "fetch" / "asteroids.csv"
    path.write_text(path.read_text().replace("0.007", "nearby"))
    with pytest.raises(DataError) as caught:
        run_here("clean", fetched)
    root = tmp_path / "ml"
    prepare(root, "clean", fetched)
    assert main([str(root)]) == 1
    failure = failure_in(root)
    assert (type(failure), failure.what, failure.hint) == (DataError, caught.value.what, caught.value.hint)
    assert "nearby" in failure.what
    assert capsys.readouterr().out.splitlines() == ["clean", f"{failure.what} {failure.hint}"]


def test_a_damaged_input_is_named_by_its_path_in_a_container(fetched: Path, tmp_path: Path) -> None:
    (fetched / "fetch" / "provenance.json").write_text("{")
    root = tmp_path / "ml"
    prepare(root, "clean", fetched)
    assert main([str(root)]) == 1
    assert failure_in(root).what.startswith("/opt/ml/processing/run/fetch/provenance.json cannot be read")
    (root / contract.SETTINGS).write_text("{")
    assert main([str(root)]) == 1
    assert failure_in(root).what.startswith("/opt/ml/processing/input/settings/settings.json cannot be read")


def test_a_full_disk_names_the_setting_of_its_size(
    fetched: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "ml"
    prepare(root, "clean", fetched)
    n_syncs = 0

    def full(_: int) -> None:
        nonlocal n_syncs
        n_syncs += 1
        if n_syncs == 1:  # the message is written later
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    assert main([str(root)]) == 1
    failure = failure_in(root)
    assert isinstance(failure, DataError)
    assert "the disk is full" in failure.what
    assert failure.hint == "Raise 'processing.volume_size_gb', then run the same command again."


def test_a_bug_keeps_its_traceback_in_the_log(
    fetched: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = tmp_path / "ml"
    prepare(root, "clean", fetched)
    write_json(root / contract.SETTINGS, {"stage": "clean", "settings": {"clean": None}})
    assert main([str(root)]) == 1
    assert "Traceback" in capsys.readouterr().err
    message = (root / contract.MESSAGE).read_text("utf-8")
    assert message.startswith("ValidationError: ")
    assert failure_of(message) is None


@pytest.mark.skipif(
    os.environ.get("ASTEROID_LL_EXHAUSTIVE") != "1", reason="installs packages; ASTEROID_LL_EXHAUSTIVE=1 runs it"
)
def test_the_command_of_the_container_installs_the_wheel_and_needs_no_source_tree(
    fetched: Path, tmp_path: Path
) -> None:
    root = tmp_path / "ml"
    prepare(root, "clean", fetched)
    (root / contract.CODE).mkdir(parents=True)
    (root / contract.CODE / own_wheel.file_name()).write_bytes(own_wheel.build())
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "image")], check=True)
    older = tmp_path / own_wheel.file_name()
    shutil.copyfile(root / contract.CODE / own_wheel.file_name(), older)
    with zipfile.ZipFile(older, "a") as archive, pytest.warns(UserWarning, match="Duplicate name"):
        archive.writestr("asteroid_ll/pipeline/container.py", "raise SystemExit('of the image')")
    pip = [str(tmp_path / "image" / "bin" / "python3"), "-m", "pip", "install", "-q", "--no-deps", str(older)]
    subprocess.run(pip, check=True)
    variables = {name: text for name, text in os.environ.items() if not name.startswith(("PYTHON", "VIRTUAL_ENV"))}
    variables["PATH"] = f"{tmp_path / 'image' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    command = [part.replace(contract.ROOT, str(root)) for part in contract.ENTRYPOINT]
    ended = subprocess.run(command, cwd=tmp_path, env=variables, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    where = [str(tmp_path / "image" / "bin" / "python3"), "-c", "import asteroid_ll; print(asteroid_ll.__file__)"]
    installed = subprocess.run(where, cwd=tmp_path, env=variables, capture_output=True, text=True, check=True).stdout
    assert installed.startswith(str(tmp_path / "image"))
    run_here("clean", fetched)
    assert without_outcomes(files_of(root / contract.RUN / "clean")) == files_of(fetched / "clean")
