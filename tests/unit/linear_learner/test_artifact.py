from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.errors import DataError
from asteroid_ll.linear_learner import artifact
from asteroid_ll.linear_learner.artifact import symbol_of, symbol_text

REAL = Path(__file__).resolve().parents[3] / "../shared/data/artifact-binary/model.tar.gz"
MEMBERS = ["additional-params.json", "mx-mod-symbol.json", "manifest.json", "mx-mod-0000.params"]


@pytest.fixture
def model():
    return artifact.Artifact(
        {"threshold": 0.5, "loss_type": "squared_loss", "predictor_type": "regressor"},
        artifact.symbol_of("squared_loss", feature_dim=3, n_outputs=1, counter=32, bias_lr_mult=10.0),
        {"fc0_bias": np.array([[0.5]], np.float32), "fc0_weight": np.array([[1], [2], [3]], np.float32)},
    )


def members_of(path):
    data = path.read_bytes()
    if path.name.endswith(".tar.gz"):
        with tarfile.open(path) as archive:
            assert archive.getnames() == ["model_algo-1"]
            info = archive.getmember("model_algo-1")
            assert (info.mode & 0o777, info.uid, info.gid) == (0o644, 0, 0)
            data = archive.extractfile(info).read()
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert all(info.compress_type == zipfile.ZIP_STORED for info in archive.infolist())
        return {name: archive.read(name) for name in archive.namelist()}


def same(one, other):
    return (
        one.additional_params == other.additional_params
        and one.symbol == other.symbol
        and one.arrays.keys() == other.arrays.keys()
        and all(np.array_equal(one.arrays[name], other.arrays[name]) for name in one.arrays)
    )


@pytest.mark.parametrize("name", ["model.tar.gz", "model_algo-1"])
def test_a_model_comes_back(tmp_path, model, name):
    artifact.write(model, tmp_path / name)
    assert same(artifact.read(tmp_path / name), model)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert list(members_of(tmp_path / name)) == MEMBERS


def test_the_same_model_gives_the_same_bytes(tmp_path, model):
    artifact.write(model, tmp_path / "a.tar.gz")
    artifact.write(artifact.read(tmp_path / "a.tar.gz"), tmp_path / "b.tar.gz")
    assert (tmp_path / "a.tar.gz").read_bytes() == (tmp_path / "b.tar.gz").read_bytes()


def test_a_real_artifact_is_written_again_with_the_same_members(tmp_path):
    if not REAL.exists():
        pytest.skip(f"AWS's own artifact, which the project does not contain, is not at {REAL}")
    model = artifact.read(REAL)
    assert model.additional_params["threshold"] == 0.030055705457925797
    assert model.arrays["fc0_weight"].shape == (5000, 1)
    assert model.symbol == artifact.symbol_of("logistic", feature_dim=5000, n_outputs=1, counter=57, bias_lr_mult=10.0)
    artifact.write(model, tmp_path / "model.tar.gz")
    assert members_of(tmp_path / "model.tar.gz") == members_of(REAL)


def tar_of(*members):
    """A model.tar.gz of (name, content, changes to its header)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content, changes in members:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            for attribute, value in changes.items():
                setattr(info, attribute, value)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def zip_of(*members, method=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with pytest.MonkeyPatch.context() as patch, zipfile.ZipFile(buffer, "w", method) as archive:
        patch.setattr("warnings.warn", lambda *_, **__: None)
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()


@pytest.fixture
def good_zip(tmp_path, model):
    artifact.write(model, tmp_path / "good")
    return (tmp_path / "good").read_bytes()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("../model_algo-1", {}),
        ("/model_algo-1", {}),
        ("a/../../model_algo-1", {}),
        ("other", {}),
        ("model_algo-1", {"type": tarfile.SYMTYPE, "linkname": "/etc/passwd"}),
        ("model_algo-1", {"type": tarfile.LNKTYPE, "linkname": "x"}),
        ("model_algo-1", {"type": tarfile.CHRTYPE}),
        ("model_algo-1", {"type": tarfile.FIFOTYPE}),
        ("model_algo-1", {"type": tarfile.DIRTYPE}),
    ],
)
def test_a_tar_with_another_member_is_refused(tmp_path, good_zip, name, changes):
    content = b"" if "type" in changes else good_zip
    (tmp_path / "model.tar.gz").write_bytes(tar_of((name, content, changes)))
    with pytest.raises(DataError, match="unexpected member"):
        artifact.read(tmp_path / "model.tar.gz")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["good", "model.tar.gz"]


def test_a_tar_made_of_the_current_folder_is_read(tmp_path, good_zip, model):
    folder = ("./", b"", {"type": tarfile.DIRTYPE})
    (tmp_path / "m").write_bytes(tar_of(folder, ("./model_algo-1", good_zip, {})))
    assert same(artifact.read(tmp_path / "m"), model)


def test_a_member_that_comes_twice_is_refused(tmp_path, good_zip):
    (tmp_path / "m").write_bytes(tar_of(("model_algo-1", good_zip, {}), ("model_algo-1", good_zip, {})))
    with pytest.raises(DataError, match="twice"):
        artifact.read(tmp_path / "m")
    with zipfile.ZipFile(io.BytesIO(good_zip)) as archive:
        contents = [(name, archive.read(name)) for name in MEMBERS]
    (tmp_path / "m").write_bytes(zip_of(*contents, contents[0]))
    with pytest.raises(DataError, match="its members are"):
        artifact.read(tmp_path / "m")


@pytest.mark.parametrize(("n_folders", "accepted"), [(15, True), (16, False), (5_000, False)])
def test_more_than_sixteen_members_are_refused_without_reading_them(tmp_path, good_zip, model, n_folders, accepted):
    folders = [("./", b"", {"type": tarfile.DIRTYPE})] * n_folders
    (tmp_path / "m").write_bytes(tar_of(*folders, ("model_algo-1", good_zip, {})))
    if accepted:
        assert same(artifact.read(tmp_path / "m"), model)
    else:
        with pytest.raises(DataError, match="more than 16 members"):
            artifact.read(tmp_path / "m")


def test_a_model_may_take_512_megabytes_and_no_byte_more(tmp_path):
    """The sizes are only declared: a member that is too large is refused before its content is read."""
    for n_bytes, says in [
        (512 << 20, "truncated|unexpected end|cannot be read"),
        ((512 << 20) + 1, "more than 536870912"),
    ]:
        info = tarfile.TarInfo("model_algo-1")
        info.size = n_bytes
        (tmp_path / "m").write_bytes(gzip.compress(info.tobuf() + bytes(1024)))
        with pytest.raises(DataError, match=says) as raised:
            artifact.read(tmp_path / "m")
        assert ("more than" in str(raised.value)) == (n_bytes > 512 << 20)


def test_a_bomb_is_not_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(artifact, "_MAX_BYTES", 1 << 20)
    zeros = bytes(8 << 20)
    (tmp_path / "tar").write_bytes(tar_of(("model_algo-1", zeros, {})))
    (tmp_path / "zip").write_bytes(zip_of(*[(name, zeros) for name in MEMBERS], method=zipfile.ZIP_DEFLATED))
    (tmp_path / "gzip").write_bytes(gzip.compress(tarfile.TarInfo("./").tobuf()[:156] + b"5" + zeros))
    for name in ("tar", "zip"):
        with pytest.raises(DataError, match="more than 1048576"):
            artifact.read(tmp_path / name)
    with pytest.raises(DataError):
        artifact.read(tmp_path / "gzip")


@pytest.mark.parametrize("name", ["../x", "/x", "mx-mod-0000.params/../x"])
def test_a_zip_with_another_member_is_refused(tmp_path, name):
    (tmp_path / "m").write_bytes(zip_of(*[(member, b"{}") for member in MEMBERS[1:]], (name, b"{}")))
    with pytest.raises(DataError, match="its members are"):
        artifact.read(tmp_path / "m")


def test_damaged_content_is_named(tmp_path, good_zip):
    with zipfile.ZipFile(io.BytesIO(good_zip)) as archive:
        contents = {name: archive.read(name) for name in MEMBERS}
    for name, content, says in [
        ("additional-params.json", b"{", "damaged"),
        ("additional-params.json", json.dumps([1]).encode(), "not a JSON object"),
        ("mx-mod-0000.params", contents["mx-mod-0000.params"][:-1], "inside a name"),
    ]:
        (tmp_path / "m").write_bytes(zip_of(*{**contents, name: content}.items()))
        with pytest.raises(DataError, match=says):
            artifact.read(tmp_path / "m")
    (tmp_path / "m").write_bytes(good_zip.replace(b'"threshold"', b'"Threshold"'))
    with pytest.raises(DataError, match="CRC"):
        artifact.read(tmp_path / "m")


def test_arrays_under_other_names_and_encrypted_members_are_refused(tmp_path, good_zip):
    (tmp_path / "m").write_bytes(good_zip)
    with zipfile.ZipFile(io.BytesIO(good_zip)) as archive:
        contents = {name: archive.read(name) for name in MEMBERS}
    auxiliary = contents["mx-mod-0000.params"].replace(b"arg:", b"aux:")
    (tmp_path / "m").write_bytes(zip_of(*{**contents, "mx-mod-0000.params": auxiliary}.items()))
    with pytest.raises(DataError, match="arrays are named"):
        artifact.read(tmp_path / "m")
    encrypted = bytearray(good_zip)
    encrypted[encrypted.index(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "m").write_bytes(encrypted)
    with pytest.raises(DataError, match="encrypted"):
        artifact.read(tmp_path / "m")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"none\.tar\.gz cannot be opened"):
        artifact.read(tmp_path / "none.tar.gz")


@settings(deadline=None)
@given(st.data())
def test_a_cut_or_changed_file_is_read_or_is_a_data_error(tmp_path_factory, data):
    folder = tmp_path_factory.mktemp("fuzz")
    arrays = {"fc0_bias": np.ones((1, 1), np.float32), "fc0_weight": np.ones((2, 1), np.float32)}
    model = artifact.Artifact(
        {"threshold": 0.5},
        artifact.symbol_of("squared_loss", feature_dim=2, n_outputs=1, counter=1, bias_lr_mult=10.0),
        arrays,
    )
    path = folder / data.draw(st.sampled_from(["model.tar.gz", "model_algo-1"]))
    artifact.write(model, path)
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        del content[at:]
    else:
        content[at] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    try:
        back = artifact.read(path)
    except DataError:
        return
    assert same(back, model)


def test_the_text_has_mxnets_layout():
    text = symbol_text(symbol_of("squared_loss", feature_dim=513, n_outputs=1, counter=32, bias_lr_mult=10.0))
    assert text.startswith(
        '{\n  "nodes": [\n    {\n      "op": "null", \n      "name": "data", \n      "inputs": []\n    }, \n'
    )
    assert '      "attrs": {"__shape__": "(513, 1)"}, \n' in text
    assert '      "attrs": {\n        "__lr_mult__": "10.0", \n        "__shape__": "(1, 1)"\n      }, \n' in text
    assert text.endswith('  "heads": [[6, 0, 0]], \n  "attrs": {"mxnet_version": ["int", 10301]}\n}')
    assert json.loads(text) == symbol_of("squared_loss", feature_dim=513, n_outputs=1, counter=32, bias_lr_mult=10.0)


@pytest.mark.parametrize(
    ("loss", "head"),
    [
        ("squared_loss", "LinearRegressionOutput"),
        ("absolute_loss", "MAERegressionOutput"),
        ("huber_loss", "LinearRegressionOutput"),
        ("logistic", "LogisticRegressionOutput"),
        ("hinge_loss", "LinearRegressionOutput"),
        ("softmax_loss", "SoftmaxOutput"),
    ],
)
def test_the_head_gives_the_score_of_the_loss(loss, head):
    node = symbol_of(loss, feature_dim=3, n_outputs=2, counter=7, bias_lr_mult=10.0)["nodes"][-1]
    assert (node["op"], node["name"]) == (head, f"{head.lower()}7")


def test_shapes_and_the_bias_rate_are_attributes():
    nodes = symbol_of("softmax_loss", feature_dim=4, n_outputs=3, counter=1, bias_lr_mult=1)["nodes"]
    attrs = {node["name"]: node.get("attrs") for node in nodes}
    assert attrs["fc0_weight"] == {"__shape__": "(4, 3)"}
    assert attrs["fc0_bias"] == {"__lr_mult__": "1.0", "__shape__": "(1, 3)"}
