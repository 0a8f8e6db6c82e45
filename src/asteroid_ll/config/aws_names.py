"""The regions and instance types that AWS has, from the data files of the installed botocore.

The files are read directly, because importing botocore takes 0.1 s and more, and only for a value that is not a
default. A name that botocore does not list may be misspelt, or newer than botocore. It is taken for misspelt if one of
its words is; then it is refused. Otherwise it is accepted with a note, so a new region needs no new release.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from asteroid_ll.config.wording import did_you_mean

_DEFAULTS = {
    "region": "us-east-1",
    "training.instance_type": "ml.m5.large",
    "hosting.instance_type": "ml.t2.medium",
    "hosting.transform_instance_type": "ml.m5.large",
    "processing.instance_type": "ml.m5.xlarge",
}
"""The defaults of the keys, which need no look at botocore's data."""

_WORD_CUTOFF = 0.75
_DIRECTION = re.compile("(north|south|east|west|central)+")


@dataclass(frozen=True, slots=True)
class _Names:
    """What a key names, the names that botocore lists, and whether another name has a misspelt word."""

    what: str
    known: Callable[[], frozenset[str]]
    is_misspelt: Callable[[str, Collection[str]], bool]


@dataclass(frozen=True, slots=True)
class Doubt:
    """A name that botocore does not list.

    Attributes:
        what: clause that follows the key.
        is_problem: whether the name is misspelt, so that it must be refused.
    """

    what: str
    is_problem: bool


def doubt(key: str, name: str) -> Doubt | None:
    """Return what is doubtful about a region or an instance type; None if botocore lists it.

    Args:
        key: one of `KEYS`.
        name: the value, which has the form of such a name.
    """
    names = KEYS[key]
    if name == _DEFAULTS[key]:
        return None
    known = names.known()
    if name in known:
        return None
    if names.is_misspelt(name, known):
        return Doubt(f"{name} is not {names.what}{did_you_mean(name, known)}", is_problem=True)
    closest = get_close_matches(name, known, n=1, cutoff=0)[0]
    return Doubt(
        f"the installed botocore does not list {name} as {names.what}, so it is new or misspelt; the closest name is "
        f"{closest}",
        is_problem=False,
    )


def suggestion(key: str, name: str) -> str:
    """Return ``; did you mean X?`` for a value that has not the form of a region or an instance type."""
    if key not in KEYS:
        return ""
    known = KEYS[key].known()
    return did_you_mean(f"ml.{name}" if f"ml.{name}" in known else name, known)


def _data() -> Path:
    """Return the folder of botocore's data, without importing botocore."""
    spec = find_spec("botocore")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "data"


@lru_cache
def _regions() -> frozenset[str]:
    partitions = json.loads((_data() / "endpoints.json").read_bytes())["partitions"]
    return frozenset(region for partition in partitions for region in partition["regions"])


@lru_cache
def _sagemaker_model() -> str:
    return gzip.decompress((_data() / "sagemaker" / "2017-07-24" / "service-2.json.gz").read_bytes()).decode()


def _enum(shape: str) -> frozenset[str]:
    """Return the values of an enum of SageMaker's API. The model is searched, because parsing its 2.6 MB is slow."""
    found = re.search(rf'"{shape}":\s*{{\s*"type":\s*"string",\s*"enum":\s*(\[[^\]]*\])', _sagemaker_model())
    assert found is not None
    return frozenset(json.loads(found[1]))


@lru_cache
def _training_types() -> frozenset[str]:
    return _enum("TrainingInstanceType")


@lru_cache
def _hosting_types() -> frozenset[str]:
    return _enum("ProductionVariantInstanceType")


@lru_cache
def _transform_types() -> frozenset[str]:
    return _enum("TransformInstanceType")


@lru_cache
def _processing_types() -> frozenset[str]:
    return _enum("ProcessingInstanceType")


def _is_misspelt_region(name: str, known: Collection[str]) -> bool:
    place, direction, _ = name.rsplit("-", 2)
    places, directions, _ = zip(*(region.rsplit("-", 2) for region in known), strict=True)
    is_direction = _DIRECTION.fullmatch(direction) is not None
    return (not is_direction and _is_near(direction, directions)) or _is_shuffled(place, places)


def _is_misspelt_type(name: str, known: Collection[str]) -> bool:
    if name in _training_types() | _hosting_types():  # AWS has it, but not for this
        return True
    _, family, size = map(_without_digits, name.split("."))
    families, sizes = zip(*(map(_without_digits, other.split(".")[1:]) for other in known), strict=True)
    return _is_near(size, sizes) or _is_shuffled(family, families)


def _is_near(word: str, known: Collection[str]) -> bool:
    """Return whether a word is similar to a known one, and not one itself."""
    return word not in known and bool(get_close_matches(word, set(known), n=1, cutoff=_WORD_CUTOFF))


def _is_shuffled(word: str, known: Collection[str]) -> bool:
    """Return whether a word has the letters of a known one in another order; short words are too similar for more."""
    return word not in known and sorted(word) in map(sorted, known)


def _without_digits(word: str) -> str:
    """Return a word with one # for each number: a higher number is a newer name, not a misspelt one."""
    return re.sub("[0-9]+", "#", word)


KEYS = {
    "region": _Names("an AWS region", _regions, _is_misspelt_region),
    "training.instance_type": _Names("an instance type for training", _training_types, _is_misspelt_type),
    "hosting.instance_type": _Names("an instance type for hosting", _hosting_types, _is_misspelt_type),
    "hosting.transform_instance_type": _Names(
        "an instance type for batch transform", _transform_types, _is_misspelt_type
    ),
    "processing.instance_type": _Names("an instance type for processing", _processing_types, _is_misspelt_type),
}
"""The keys whose values are names of AWS."""
