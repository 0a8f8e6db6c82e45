import math

import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from asteroid_ll.config import document
from asteroid_ll.config.document import MAX_BYTES, DocumentError, dotted, parse, read


@pytest.fixture(params=["CSafeLoader", "SafeLoader"])
def any_loader(request, monkeypatch):
    """Both parsers of PyYAML: the compiled one, where it was built, and the one in Python."""
    if not hasattr(yaml, request.param):
        pytest.skip(f"this PyYAML has no {request.param}")
    monkeypatch.setattr(document, "_LOADER", getattr(yaml, request.param))


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1),
        ("-0", 0),
        ("1e-4", 1e-4),
        (".5", 0.5),
        ("5.", 5.0),
        ("010", "010"),
        ("0x10", "0x10"),
        ("1_000", "1_000"),
        ("1:30", "1:30"),
        ("2024-01-01", "2024-01-01"),
        ("true", True),
        ("No", False),
        ("ON", True),
        ("oN", "oN"),
        ("y", "y"),
        ("~", None),
        ("", None),
        ("'1'", "1"),
        ('"on"', "on"),
        ("nan", "nan"),
        (".inf", math.inf),
        ("-.inf", -math.inf),
        ("1e400", math.inf),
        ("|\n a\n b\n", "a\nb\n"),
        ("[a, [1]]", ["a", [1]]),
        ("{a: {b: }}", {"a": {"b": None}}),
        ("1: x", {"1": "x"}),
        ("on: x", {"on": "x"}),
    ],
)
@pytest.mark.usefixtures("any_loader")
def test_scalars_follow_yaml_1_2_with_the_old_boolean_words(text, value):
    parsed = parse(text).value
    assert (parsed, type(parsed)) == (value, type(value))


def test_not_a_number_is_a_float():
    assert math.isnan(parse(".nan").value)


def test_each_value_has_its_line_and_its_spelling():
    marks = parse(b"a: 0.10\nb:\n  - x\n  - 1e2\nc:\n  d: |\n    text\n").marks
    assert [(dotted(key), mark.line, mark.raw) for key, mark in marks.items() if key] == [
        ("a", 1, "0.10"),
        ("b", 2, None),
        ("b[0]", 3, "x"),
        ("b[1]", 4, "1e2"),
        ("c", 5, None),
        ("c.d", 6, "text\n"),
    ]


def test_a_key_given_twice_is_a_problem_and_the_first_one_counts():
    parsed = parse("a: {b: 1}\nc: 2\na: {b: 3}\n")
    assert parsed.value == {"a": {"b": 1}, "c": 2}
    assert [str(problem) for problem in parsed.problems] == ["line 3: a: is given twice, first in line 1"]
    assert parsed.marks["a", "b"].line == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: &x 1", "the anchor &x is not allowed"),
        ("a: 1\nb: *x", "line 2: the alias *x is not allowed"),
        ("&x {a: [1]}", "the anchor &x"),
        ("a: !!python/object/apply:os.system [true]", "the tag tag:yaml.org,2002:python/object/apply:os.system"),
        ("a: !!int 5", "the tag tag:yaml.org,2002:int"),
        ("!x [1]", "the tag !x"),
        ("a: 1\n--- \nb: 2", "line 2: a second document"),
        ("a: 1\n\tb: 2", "line 2: a tab"),
        ("[" * 50, "nested more than 8 levels"),
        ("a: [1", "not YAML"),
        ("a: b: c", "line 1: the text is not YAML"),
        ("? [a]\n: b", "cannot be a key"),
        ("a: %x", "not YAML"),
        ("a: \x00", "not YAML"),
        ("a: " + "9" * 500, "a number of 500 characters"),
        ("#" * (MAX_BYTES + 1), "longer than 262,144 bytes"),
        (b"a: 1\nb: \xff", "line 2: byte 8 is not UTF-8"),
        ("a: 1".encode("utf-16"), "byte 0 is not UTF-8"),
    ],
    ids=lambda part: ascii(part)[:40],
)
@pytest.mark.usefixtures("any_loader")
def test_other_parts_of_yaml_are_refused_with_a_sentence(text, message):
    with pytest.raises(DocumentError) as caught:
        parse(text)
    assert message in str(caught.value)
    assert "\n" not in caught.value.what


def test_a_bomb_of_aliases_is_refused_at_its_first_anchor():
    levels = [f"a{n + 1}: &a{n + 1} [{', '.join([f'*a{n}'] * 9)}]" for n in range(30)]
    with pytest.raises(DocumentError, match="line 1: the anchor &a0 is not allowed"):
        parse("\n".join(["a0: &a0 [x, x]", *levels]))


def test_a_byte_order_mark_is_no_part_of_the_first_key():
    assert parse(b"\xef\xbb\xbfa: 1").value == {"a": 1}


_PIECES = st.sampled_from(
    ["a", ":", ": ", "\n", "  ", "\t", "- ", "[", "]", "{", "}", ",", "#", "&x", "*x", "!!", "!!python/name:os.x ",
     "|", ">", "'", '"', "\\", "%", "@", "`", "? ", "---", "...", "<<", "1", ".nan", "1e400", "on",
     "\u2028", "\x85", "\ud7ff", "%YAML 9.9\n", "\\ud800", "\\UFFFFFFFF"]
)  # fmt: skip


@given(st.one_of(st.lists(_PIECES, max_size=25).map("".join), st.text(max_size=60), st.binary(max_size=60)))
@settings(max_examples=500, deadline=None)
@example("- " * 3_000)
@example('"\\ud800"')
@example('"\\UFFFFFFFF"')
@example("%YAML 99999999999999999999.1\n--- a")
@example("\ud800")
def test_any_text_is_read_or_refused(text):
    for loader in {yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)}:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(document, "_LOADER", loader)
            try:
                value = parse(text).value
            except DocumentError as error:
                assert error.reason  # noqa: PT017 - either outcome is right, a third is not
            else:
                assert isinstance(value, str | int | float | bool | list | dict | None)


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**9), 10**9) | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=12),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=8), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


@given(_PLAIN)
@settings(deadline=None)
def test_a_written_value_is_read_unchanged(value):
    import json

    assert parse(json.dumps(value, ensure_ascii=False)).value == value


def problems(text):
    return [str(problem) for problem in read(text.encode() if isinstance(text, str) else text).problems]


def test_a_file_with_several_syntax_errors_names_each_and_keeps_the_values_of_the_other_sections():
    text = 'region: "eu\nclean:\n\tdrop: []\nsplit: {seed: 7}\nencode: {n_shards: 6\nreport: {html: no}\nsplit: 1\n'
    document = read(text.encode())
    assert not document.is_whole
    assert document.value == {"split": {"seed": 7}, "report": {"html": False}}
    assert document.marks["report", "html"].line == 6
    assert sorted(problem.line for problem in document.problems) == [1, 3, 5, 7]
    assert "line 7: split: is given twice, first in line 4" in problems(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a: &x 1\nb: *x\nc: !!int 2\n", ["line 1: the anchor &x", "line 2: the alias *x", "line 3: the tag"]),
        ("a: 1\n--- \nb: 2\nb: 3", ["line 4: b: is given twice, first in line 3", "line 2: a second document begins"]),
        ("a: 1\njust words\nb: 2\n", ["line 2: just words has no colon; write KEY: VALUE"]),
        ("\ufeffa: 1\r\nb: [2\r\nc: {\r\n", ["line 2: the text is not YAML", "line 3: the text is not YAML"]),
        ("b: 1\na: \x00\nc: [", ["line 2: the text is not YAML", "line 3: the text is not YAML"]),
        (b"a: \xff\nb: [", ["line 1: byte 3 is not UTF-8 text"]),
        ("- a\n", ["line 1: the file must contain keys such as target: emulator"]),
    ],
    ids=["extras", "second-document", "no-colon", "bom-and-crlf", "nul", "not-utf-8", "list"],
)
def test_every_part_of_a_file_that_cannot_be_read_is_named(text, expected):
    assert [problem[: len(start)] for problem, start in zip(problems(text), expected, strict=True)] == expected


def test_a_file_that_is_yaml_is_read_whole_with_a_byte_order_mark_and_crlf_too():
    assert read("\ufeffa: 1\r\nb:\r\n  c: x\r\n".encode()).value == {"a": 1, "b": {"c": "x"}}
    assert read(b"a: 1").is_whole


def test_a_broken_line_in_a_section_leaves_the_other_keys_of_the_section():
    text = "training:  # one job\r\n\n  # its type\n  instance_type: ml.m5.large\n\tvolume: 1\n  max_runtime_s: [1\n" \
        "  drop:\n  - a\n  - b\n  max_runtime_s: 5\nregion: x\n"  # fmt: skip
    document = read(text.encode())
    assert document.value == {
        "training": {"instance_type": "ml.m5.large", "drop": ["a", "b"], "max_runtime_s": 5},
        "region": "x",
    }
    assert [problem.line for problem in document.problems] == [5, 6]
    assert {dotted(key): mark.line for key, mark in document.marks.items() if len(key) < 3 and key} == {
        "training": 1,
        "training.instance_type": 4,
        "training.drop": 7,
        "training.max_runtime_s": 10,
        "region": 11,
    }
