import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.config import SCHEMA_FILE, TEMPLATES, Config, dump_markdown, dump_yaml, load, template
from asteroid_ll.config.describe import json_schema, keys
from asteroid_ll.config.hyperparameters import KNOWN
from asteroid_ll.neo.table import COLUMNS


def test_every_template_tells_editors_its_schema():
    for name in TEMPLATES:
        assert template(name).splitlines()[0] == f"# yaml-language-server: $schema={SCHEMA_FILE}"


def test_the_reference_has_a_line_for_every_key():
    found = [line.split("`")[1] for line in dump_markdown().splitlines() if line.startswith("| `")]
    assert found == [key for key in keys() if "." not in key] + [key for key in keys() if "." in key]
    assert "whole number from 60 to 432,000" in dump_markdown()


def test_every_key_is_commented_and_no_line_is_longer_than_a_hundred_characters():
    lines = dump_yaml(Config()).splitlines()
    keys = [n for n, line in enumerate(lines) if ":" in line and not line.lstrip().startswith("#")]
    uncommented = [lines[n].strip() for n in keys if not lines[n - 1].lstrip().startswith("#")]
    assert uncommented == [
        "predictor_type: binary_classifier",
        "mini_batch_size: 100",
        "epochs: 15",
        "binary_classifier_model_selection_criteria: loss_function",
    ]
    assert max(map(len, lines)) <= 100


_TEXT = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20).filter(
    lambda text: not (text.startswith("<") and text.endswith(">"))
)


@given(
    location=st.one_of(
        _TEXT, st.sampled_from(["on", "null", "1", "1e5", "a: b", "a #b", "- x", "~", "NULL", "No", "é☄"])
    ),
    drop=st.lists(st.sampled_from([column.name for column in COLUMNS]), max_size=3),
    wd=st.sampled_from(["1e-3", "0.10", "010", "auto", ".5", "5.", "1E300", "9" * 300]),
    max_usd=st.floats(min_value=1e-300, allow_nan=False, allow_infinity=False),
    threshold=st.none() | st.floats(allow_nan=False, allow_infinity=False),
)
@settings(deadline=None)
def test_a_written_configuration_loads_as_it_was(tmp_path_factory, location, drop, wd, max_usd, threshold):
    config = Config(
        source={"kind": "csv", "location": location},
        clean={"drop": drop},
        hyperparameters={"wd": wd},
        cost={"max_usd": max_usd},
        predict={"threshold": threshold},
    )
    path = tmp_path_factory.mktemp("written") / "c.yaml"
    path.write_text(dump_yaml(config), encoding="utf-8", newline="")
    assert load(path) == config


def _objects(schema):
    if isinstance(schema, dict):
        if schema.get("type") == "object":
            yield schema
        for inner in schema.values():
            yield from _objects(inner)


def test_the_schema_closes_every_object_and_describes_every_key():
    schema = json_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    objects = list(_objects(schema))
    assert len(objects) == 1 + 17 + 2  # the last two are the mappings of tags and of prices, with patterns for names
    for found in objects:
        assert found["additionalProperties"] is False
        for inner in found.get("properties", {}).values():
            meant = schema["$defs"][inner["$ref"].rpartition("/")[2]] if "$ref" in inner else inner
            assert meant["description"]


def test_the_schema_names_every_key_hyperparameter_and_default():
    schema = json_schema()
    assert set(schema["properties"]) == set(Config.model_fields)
    assert tuple(schema["properties"]["hyperparameters"]["properties"]) == KNOWN
    assert schema["properties"]["region"]["default"] == "us-east-1"
    assert schema["$defs"]["TrainingSettings"]["properties"]["max_runtime_s"]["minimum"] == 60
    assert schema["$defs"]["SourceSettings"]["properties"]["sha256"]["anyOf"][0]["pattern"] == "^([0-9a-f]{64})$"


@pytest.mark.parametrize(
    ("hyperparameters", "is_valid"),
    [
        ({"epochs": 3, "wd": "auto", "use_bias": True, "momentum": 0.5, "loss": "logistic"}, True),
        ({"epochs": "3", "wd": "0.10", "use_bias": "true", "normalize_data": "auto"}, True),
        ({"epochs": 0}, False),
        ({"epochs": "0"}, False),
        ({"epochs": "auto"}, False),
        ({"momentum": 1}, False),
        ({"loss": "log"}, False),
        ({"use_bias": "auto"}, False),
    ],
)
def test_the_schema_holds_the_ranges_of_the_hyperparameters(hyperparameters, is_valid):
    validator = jsonschema.Draft202012Validator(json_schema())
    assert validator.is_valid({"hyperparameters": hyperparameters}) == is_valid


def test_every_hyperparameter_has_a_description_and_a_default_in_the_schema():
    parts = json_schema()["properties"]["hyperparameters"]["properties"]
    assert all(part["description"].endswith(".") for part in parts.values())
    assert {name: parts[name]["default"] for name in ("mini_batch_size", "wd", "use_bias", "quantile")} == {
        "mini_batch_size": 100,
        "wd": "auto",
        "use_bias": True,
        "quantile": 0.5,
    }


def test_a_validator_of_the_schema_accepts_the_default_file_and_refuses_a_typo():
    values = Config().model_dump(mode="json")
    jsonschema.Draft202012Validator.check_schema(json_schema())
    jsonschema.validate(values, json_schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**values, "regoin": "x"}, json_schema())
