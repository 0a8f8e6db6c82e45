"""The saved model in AWS's format: ``model.tar.gz`` > ``model_algo-1`` (a zip) > four files.

``additional-params.json`` (threshold, loss, metric settings), ``mx-mod-symbol.json`` (the network),
``manifest.json`` and ``mx-mod-0000.params`` (weights and bias, normalisation folded in). Source: real artifacts.

An archive is not trusted. Members are read into memory, never extracted, so no path in it can write anywhere. Any
member that is not expected or too large is refused.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asteroid_ll.errors import DataError
from asteroid_ll.formats import ndarrays
from asteroid_ll.linear_learner.hyperparameters import LOSSES
from asteroid_ll.run.atomic import atomic_write

# A regression head is the identity; it keeps the label input that MXNet's Module expects.
_HEADS = {
    "probability": "LogisticRegressionOutput",
    "probabilities": "SoftmaxOutput",
    "value": "LinearRegressionOutput",
}
_MXNET_VERSION = 10301


def symbol_of(loss: str, *, feature_dim: int, n_outputs: int, counter: int, bias_lr_mult: float) -> dict[str, Any]:
    """Return the symbol of a model.

    Args:
        loss: value of the hyperparameter ``loss``, not ``auto``.
        feature_dim: rows of ``fc0_weight``.
        n_outputs: columns of ``fc0_weight``: the classes of a multiclass model, else 1.
        counter: the number in the operators' names. MXNet counts the symbols that a process has built.
        bias_lr_mult: the multiplier of the bias's learning rate, an attribute of ``fc0_bias``.

    Returns:
        The graph as the JSON object of ``mx-mod-symbol.json``.
    """
    head = "MAERegressionOutput" if loss == "absolute_loss" else _HEADS[LOSSES[loss].response]
    weight_attrs = {"__shape__": f"({feature_dim}, {n_outputs})"}
    bias_attrs = {"__lr_mult__": str(float(bias_lr_mult)), "__shape__": f"(1, {n_outputs})"}
    nodes: list[dict[str, Any]] = [
        {"op": "null", "name": "data", "inputs": []},
        {"op": "null", "name": "fc0_weight", "attrs": weight_attrs, "inputs": []},
        {"op": "dot", "name": f"dot{counter}", "inputs": [[0, 0, 0], [1, 0, 0]]},
        {"op": "null", "name": "fc0_bias", "attrs": bias_attrs, "inputs": []},
        {"op": "broadcast_add", "name": f"broadcast_plus{counter}", "inputs": [[2, 0, 0], [3, 0, 0]]},
        {"op": "null", "name": "out_label", "inputs": []},
        {"op": head, "name": f"{head.lower()}{counter}", "inputs": [[4, 0, 0], [5, 0, 0]]},
    ]
    return {
        "nodes": nodes,
        "arg_nodes": [i for i, node in enumerate(nodes) if node["op"] == "null"],
        "node_row_ptr": list(range(len(nodes) + 1)),
        "heads": [[len(nodes) - 1, 0, 0]],
        "attrs": {"mxnet_version": ["int", _MXNET_VERSION]},
    }


def symbol_text(symbol: dict[str, Any]) -> str:
    """Return a symbol as text in MXNet's layout: nodes over several lines, lists of numbers on one line."""
    members = [f"{json.dumps(name)}: {_layout(value, indent=1)}" for name, value in symbol.items()]
    return "{\n  " + ", \n  ".join(members) + "\n}"


def _layout(value: Any, *, indent: int) -> str:
    inner, outer = "  " * (indent + 1), "  " * indent
    if isinstance(value, list) and value and isinstance(value[0], dict):
        items = [_layout(item, indent=indent + 1) for item in value]
        return f"[\n{inner}" + f", \n{inner}".join(items) + f"\n{outer}]"
    if isinstance(value, dict) and len(value) > 1:
        members = [f"{json.dumps(name)}: {_layout(item, indent=indent + 1)}" for name, item in value.items()]
        return f"{{\n{inner}" + f", \n{inner}".join(members) + f"\n{outer}}}"
    return json.dumps(value)


MODEL_FILE = "model_algo-1"
_ADDITIONAL_PARAMS, _SYMBOL, _MANIFEST = "additional-params.json", "mx-mod-symbol.json", "manifest.json"
_PARAMS = "mx-mod-0000.params"
_MEMBERS = (_ADDITIONAL_PARAMS, _SYMBOL, _MANIFEST, _PARAMS)
_MANIFEST_CONTENT = {"additional-params.json": "json", "mx-mod": "mxnet_module", "version": 1}
_MAX_BYTES = 512 << 20
_MAX_TAR_MEMBERS = 16
# The earliest time that a zip can store. A fixed time gives the same bytes for the same model.
_ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Artifact:
    """The content of a saved model.

    Attributes:
        additional_params: ``threshold``, ``loss_type``, ``metrics_params`` and ``predictor_type``.
        symbol: the network, see `symbol_of`.
        arrays: ``fc0_weight``, shape ``(d, k)``, and ``fc0_bias``, shape ``(1, k)``; float32, in raw feature units.
    """

    additional_params: dict[str, Any]
    symbol: dict[str, Any]
    arrays: dict[str, npt.NDArray[np.float32]]


def write(artifact: Artifact, path: Path | str) -> None:
    """Write a model, completely or not at all. The same artifact gives the same bytes.

    Args:
        artifact: the model.
        path: a name that ends in ``.tar.gz`` gets a ``model.tar.gz``, any other the bare zip ``model_algo-1``.

    Raises:
        DataError: the file cannot be written; an older file is intact.
    """
    path = Path(path)
    data = _pack_zip(artifact)
    if path.name.endswith(".tar.gz"):
        data = _pack_tar(data)
    atomic_write(path, data)


def read(path: Path | str) -> Artifact:
    """Read a ``model.tar.gz`` or a bare ``model_algo-1`` under any name.

    Raises:
        DataError: the file is missing, damaged, not a Linear Learner model, or not safe to open.
    """
    path = Path(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"The model {path} cannot be opened: {error.strerror}.") from error
    with _named(path):
        return _unpack_zip(_unpack_tar(data) if data[:2] == b"\x1f\x8b" else data)


def _pack_zip(artifact: Artifact) -> bytes:
    arrays = {f"arg:{name}": artifact.arrays[name] for name in sorted(artifact.arrays)}
    contents = {
        _ADDITIONAL_PARAMS: json.dumps(artifact.additional_params).encode(),
        _SYMBOL: symbol_text(artifact.symbol).encode(),
        _MANIFEST: json.dumps(_MANIFEST_CONTENT).encode(),
        _PARAMS: ndarrays.dumps(arrays),
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, content in contents.items():
            info = zipfile.ZipInfo(name, _ZIP_EPOCH)
            info.external_attr = 0o100644 << 16
            archive.writestr(info, content)
    return buffer.getvalue()


def _pack_tar(model: bytes) -> bytes:
    buffer = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=buffer, mode="wb", mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w") as archive,
    ):
        info = tarfile.TarInfo(MODEL_FILE)
        info.size = len(model)
        info.mode = 0o644
        archive.addfile(info, io.BytesIO(model))
    return buffer.getvalue()


def _unpack_tar(data: bytes) -> bytes:
    """Return the one regular file of the archive, which must be the model."""
    model: bytes | None = None
    # A member's size is checked before its content is read; the stream itself bounds skipped content.
    with tarfile.open(fileobj=_SizeLimitedGzip(data), mode="r|") as archive:
        for n_members, member in enumerate(archive):
            name = member.name.removeprefix("./")
            if n_members >= _MAX_TAR_MEMBERS:
                raise DataError(f"it has more than {_MAX_TAR_MEMBERS} members")
            if member.isdir() and name in ("", "."):
                continue
            if not member.isreg() or name != MODEL_FILE or member.issparse():
                raise DataError(
                    f"it has the unexpected member {member.name!r}; only the file {MODEL_FILE} belongs there"
                )
            if model is not None:
                raise DataError(f"it has the member {MODEL_FILE} twice")
            _refuse_large(member.size)
            content = archive.extractfile(member)
            model = content.read() if content else b""
    if model is None:
        raise DataError(f"it has no member {MODEL_FILE}")
    return model


def _unpack_zip(data: bytes) -> Artifact:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        members = archive.infolist()
        names = [member.filename for member in members]
        if sorted(names) != sorted(_MEMBERS):
            raise DataError(f"its members are {names[:8]}, not {list(_MEMBERS)}")
        if any(member.flag_bits & 1 for member in members):
            raise DataError("its members are encrypted")
        _refuse_large(sum(member.file_size for member in members))
        contents = {member.filename: _read_member(archive, member) for member in members}
    arrays = ndarrays.loads(contents[_PARAMS])
    if not all(name.startswith("arg:") for name in arrays):
        raise DataError(f"its arrays are named {list(arrays)[:8]}, not arg:...")
    return Artifact(
        _json_object(contents[_ADDITIONAL_PARAMS], _ADDITIONAL_PARAMS),
        _json_object(contents[_SYMBOL], _SYMBOL),
        {name.removeprefix("arg:"): array for name, array in arrays.items()},
    )


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as stream:
        content = stream.read(member.file_size + 1)
    if len(content) != member.file_size:
        raise DataError(f"{member.filename} does not have its declared {member.file_size} bytes")
    return content


def _json_object(content: bytes, name: str) -> dict[str, Any]:
    value = json.loads(content)
    if not isinstance(value, dict):
        raise DataError(f"{name} is not a JSON object")
    return value


def _refuse_large(n_bytes: int) -> None:
    if n_bytes > _MAX_BYTES:
        raise DataError(f"it would take {n_bytes} bytes, more than {_MAX_BYTES}")


class _SizeLimitedGzip(io.RawIOBase):
    """A gzip stream that ends with an error beyond the largest size of a model, so a bomb is not unpacked."""

    def __init__(self, data: bytes) -> None:
        self._stream = gzip.GzipFile(fileobj=io.BytesIO(data))
        self._n_read = 0

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = self._stream.read(size if size >= 0 else _MAX_BYTES + 1)
        self._n_read += len(block)
        _refuse_large(self._n_read)
        return block


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Turn the archive readers' errors about damaged bytes into one error that names the file."""
    try:
        yield
    except DataError as error:
        reason = error.what[:1].lower() + error.what[1:].rstrip(".")
        raise DataError(f"The model {path} cannot be read: {reason}.") from error
    except (tarfile.TarError, zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
        raise DataError(f"The model {path} cannot be read: {error or 'it is truncated'}.") from error
    except (ValueError, RecursionError, NotImplementedError) as error:
        raise DataError(f"The model {path} cannot be read: a file in it is damaged ({error}).") from error
