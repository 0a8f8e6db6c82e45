"""Secrets in addresses, texts and configurations."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asteroid_ll.config import Config, dump_yaml
from asteroid_ll.errors import ConfigError, DataError
from asteroid_ll.redaction import REMOVED, redacted, shown

ADDRESSES = [
    "https://canary@host/a.csv",
    "https://user:canary@host:8080/a.csv",
    "https://user:ca/canary@host/a.csv",
    "https://user:my canary@host/a.csv",
    "https://host/a.csv?api_key=canary",
    "https://host/a.csv?x=1&apikey=canary",
    "https://host/a.csv?X-Amz-Credential=canary%2F1&X-Amz-Signature=canary",
    "https://host/a.csv?X-Amz-Security-Token=canary",
    "https://host/a.csv?AWSAccessKeyId=canary&Signature=canary&Expires=1",
    "https://host/a.csv?X-Goog-Signature=canary",
    "https://host/a.csv?token=canary?rest=canary",
    "https://host/a.csv?access_token=canary&refreshToken=canary",
    "https://host/a.csv?sv=2020&sig=canary%2Bcanary%3D",
    "https://host/a.csv?key=canary&code=canary",
    "https://host/a.csv?api%5Fkey=canary",
    "https://host/a.csv?canary-0123456789-canary",
    "https://host/a.csv#access_token=canary",
    "http://[bad?token=canary",
    "s3://key:canary@bucket/a.csv",
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_no_secret_of_an_address_is_left(address: str) -> None:
    sentence = f"The download of {address} failed; run asteroid-ll fetch --set source.location={address} again."
    for text in (redacted(address), shown(address), redacted(sentence), str(DataError(sentence, hint=sentence))):
        assert "canary" not in text
        assert redacted(text) == text


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("https://host:8080/a.csv", "https://host:8080/a.csv"),
        ("https://host/a@v1/b.csv?year=2020&format=csv", "https://host/a@v1/b.csv?year=2020&format=csv"),
        ("http://[::1]:80/x@y", "http://[::1]:80/x@y"),
        ("https://host/a.csv?year=2020&token=x&page=3", f"https://host/a.csv?year=2020&token={REMOVED}&page=3"),
        ("https://user@host/a.csv", f"https://{REMOVED}@host/a.csv"),
        ("s3://bucket/key=1/a.csv", "s3://bucket/key=1/a.csv"),
        ("data/a?b.csv", "data/a?b.csv"),
        (
            "must be KEY=VALUE, such as training.max_runtime_s=600",
            "must be KEY=VALUE, such as training.max_runtime_s=600",
        ),
    ],
)
def test_what_is_no_secret_stays(address: str, expected: str) -> None:
    assert redacted(address) == expected


def test_a_location_is_shown_without_its_parameters() -> None:
    assert shown("https://user:secret@host:8080/a.csv?key=secret#x") == "https://host:8080/a.csv"
    assert shown("data/a.csv") == "data/a.csv"


def test_a_member_with_the_name_of_a_secret_loses_its_value() -> None:
    values: dict[str, Any] = {
        "api_key": ["x"],
        "key": "a/b",
        "deep": [{"Password": "x"}],
        "secret": None,
        "n": (1, "x"),
    }
    assert redacted(values) == {
        "api_key": REMOVED,
        "key": "a/b",
        "deep": [{"Password": REMOVED}],
        "secret": None,
        "n": (1, "x"),
    }


@given(st.text(alphabet="ab1:/?#@&=.[]% \n\"'", max_size=40))
def test_any_text_is_redacted_once(text: str) -> None:
    once = redacted(f"https://{text}")
    assert redacted(once) == once


def test_the_default_configuration_has_nothing_to_hide() -> None:
    text = dump_yaml(Config())
    assert redacted(text) == text
    values = Config().model_dump(mode="json")
    assert redacted(values) == values


def test_an_error_hides_secrets_in_both_of_its_sentences() -> None:
    error = ConfigError("https://u:canary@h/ is wrong.", hint="Use https://h/?api_key=canary instead.")
    assert str(error) == f"https://{REMOVED}@h/ is wrong. Use https://h/?api_key={REMOVED} instead."
    assert (error.what, error.hint) == tuple(str(part) for part in (error.args[0], error.hint))
