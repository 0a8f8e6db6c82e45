from __future__ import annotations

from asteroid_ll import load_config
from asteroid_ll.report.front import changed_settings, command_of


def test_the_command_has_the_settings_that_are_not_the_default_and_count():
    config = load_config(
        features={"set": "raw"},
        hyperparameters={"epochs": 3},
        split={"seed": 7},
        report={"figures": False},
        stages={"where": "processing"},
    )
    assert command_of(config) == (
        "asteroid-ll run-all --set features.set=raw --set split.seed=7 --set hyperparameters.epochs=3"
    )
    assert [item.key for item in changed_settings(config)] == ["features.set", "split.seed", "hyperparameters.epochs"]
    assert command_of(load_config()) == "asteroid-ll run-all"


def test_a_value_with_a_space_is_quoted_and_a_secret_is_masked():
    config = load_config(source={"kind": "csv", "location": "https://user:secret@host.example/my data.csv"})
    command = command_of(config)
    assert "secret" not in command
    assert "--set 'source.location=https://" in command
