from __future__ import annotations

import math

import pytest

from asteroid_ll.errors import DataError
from asteroid_ll.run.files import read_json, write_json


def test_json_keeps_its_order_and_ends_in_a_newline(tmp_path):
    write_json(tmp_path / "a.json", {"b": 1, "a": "Č"})
    assert (tmp_path / "a.json").read_text("utf-8") == '{\n  "b": 1,\n  "a": "Č"\n}\n'
    assert read_json(tmp_path / "a.json") == {"b": 1, "a": "Č"}


def test_json_has_no_word_for_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": math.nan})
    assert not (tmp_path / "a.json").exists()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b"\xff"], ids=["empty", "cut", "list", "no-utf-8"])
def test_damaged_json_is_a_data_error(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(DataError):
        read_json(tmp_path / "a.json")


def test_a_key_that_a_stored_file_lacks_is_a_data_error_at_any_depth(tmp_path):
    path = tmp_path / "predict" / "metrics.json"
    write_json(path, {"scores": {"model": {"f1": 1.0}}, "levels": []})
    stored = read_json(path)
    assert stored["scores"]["model"]["f1"] == 1.0
    assert stored["scores"].get("rule") is None
    with pytest.raises(DataError) as caught:
        stored["scores"]["rule"]
    assert "has no 'rule': another version of asteroid-ll wrote it." in caught.value.what
    assert caught.value.hint == "asteroid-ll run-all --force predict   writes it again."
