import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.neo.sources import json_objects
from asteroid_ll.neo.sources.packed import opened


def read(path: Path, text: str) -> list[dict[str, Any]]:
    path.write_text(text, encoding="utf-8")
    with opened(path) as file:
        return [value for values in json_objects.objects(file) for value in values]


nasty = st.text(alphabet='ab{}[],:"\\ \n', max_size=12)
values = st.recursive(
    st.none() | st.integers(-5, 5) | nasty,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(nasty, inner, max_size=3),
    max_leaves=6,
)


@settings(max_examples=12)
@given(
    array=st.lists(st.dictionaries(nasty, values, max_size=4), max_size=12),
    indent=st.sampled_from([None, 0, 2]),
    block=st.integers(1, 60),
)
def test_any_cut_of_the_text_gives_the_objects_of_the_array(
    tmp_path_factory: pytest.TempPathFactory, array: list[dict[str, Any]], indent: int | None, block: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "array.json"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_objects, "BLOCK_BYTES", block)
        assert read(path, json.dumps(array, indent=indent)) == array


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('{"a": 1}', "it is not a JSON array"),
        ("", "it is not a JSON array"),
        ('[{"a": 1}, {"a": 2}', "is cut"),
        ('[{"a": 1}, {"a": 2', "is cut"),
        ('[{"a": 1}, {"a": 2},]', "not JSON near byte"),
        ('[{"a": 1} {"a": 2}]', "not JSON near byte"),
        ('[{"a": 1}, 7]', "values that are not objects"),
        ('[{"a": 1}]x', "is cut"),
    ],
)
@pytest.mark.parametrize("block", [3, 1_000])
def test_another_text_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, says: str, block: int
) -> None:
    monkeypatch.setattr(json_objects, "BLOCK_BYTES", block)
    with pytest.raises(ValueError, match=says):
        read(tmp_path / "text", text)


def test_a_fault_in_the_middle_of_a_long_array_is_found_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(json_objects, "BLOCK_BYTES", 1_000)
    objects = [json.dumps({"number": number}) for number in range(5_000)]
    objects[2_500] = '{"number": oops}'
    text = "[" + ",\n".join(objects) + "]"
    with pytest.raises(ValueError, match="not JSON near byte") as caught:
        read(tmp_path / "text", text)
    position = int(str(caught.value).partition("byte ")[2].partition(":")[0].replace(",", ""))
    assert position == pytest.approx(text.index("oops"), abs=10)


def test_an_object_without_an_end_is_not_read_into_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_objects, "MAX_OBJECT_BYTES", 5_000)
    monkeypatch.setattr(json_objects, "BLOCK_BYTES", 1_000)
    with pytest.raises(ValueError, match="no object ends within 5000 bytes"):
        read(tmp_path / "text", '[{"a": "' + 9_000 * "x")
