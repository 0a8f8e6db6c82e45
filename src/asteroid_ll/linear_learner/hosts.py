"""The hosts of one job and their collective operations: add, collect and agree, in step.

Every host has one stream to the first host, which adds the arrays in the order of the hosts' numbers and sends the
result to all. All hosts have the same bits after every call. If one host leaves, the job fails on the others.
"""

from __future__ import annotations

import math
import socket
import struct
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from asteroid_ll.linear_learner.hyperparameters import AlgorithmError

Numbers = TypeVar("Numbers", np.float32, np.float64)

_HEADER = struct.Struct("<QQ")


class Hosts:
    """The hosts of a job, as one of them sees them. A single host has no links, and its calls cost nothing.

    Args:
        names: all hosts' names, ``algo-1`` first, in the same order on every host.
        name: this host's name.
        links: on the first host, a connected stream to every other host, in the order of ``names``; on another host,
            the stream to the first.
    """

    def __init__(self, names: Sequence[str], *, name: str, links: Sequence[socket.socket]) -> None:
        self.names = tuple(names)
        self.name = name
        self.is_first = name == self.names[0]
        peers = self.names[1:] if self.is_first else self.names[:1]
        self._links = tuple(zip(peers, links, strict=True))

    def __len__(self) -> int:
        return len(self.names)

    def fewest(self, count: int) -> int:
        """Return the smallest of the hosts' counts."""
        return int(self.collect(np.array([count])).min())

    def sum(self, values: npt.NDArray[Numbers]) -> None:
        """Replace an array by the sum of the hosts' arrays, added in the order of the hosts' numbers.

        Args:
            values: contiguous, with the same shape, order and type on every host.

        Raises:
            AlgorithmError: another host left, or sent an array of another size.
        """
        if not self._links:
            return
        if not self.is_first:
            self._send(values)
            self._receive_into(0, values)
            return
        other = np.empty_like(values)
        for number in range(len(self._links)):
            self._receive_into(number, other)
            np.add(values, other, out=values)
        self._send(values)

    def collect(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the hosts' rows stacked in the order of the hosts' numbers.

        Args:
            values: shape ``(n, ...)``; n may differ between hosts.

        Returns:
            Shape ``(sum of n, ...)``, the same on every host.

        Raises:
            AlgorithmError: another host left.
        """
        if not self._links:
            return values
        values = np.ascontiguousarray(values)
        if self.is_first:
            parts = [values, *(self._receive(number, values) for number in range(len(self._links)))]
            values = np.concatenate(parts)
            self._send(values)
            return values
        self._send(values)
        return self._receive(0, values)

    def agree(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the first host's array on every host.

        Args:
            values: an array with the same shape and type on every host.

        Raises:
            AlgorithmError: another host left.
        """
        if not self._links:
            return values
        values = np.ascontiguousarray(values)
        if self.is_first:
            self._send(values)
        else:
            self._receive_into(0, values)
        return values

    def _send(self, values: npt.NDArray[Any]) -> None:
        for name, link in self._links:
            try:
                link.sendall(_HEADER.pack(values.nbytes, _row_bytes(values)))
                link.sendall(_bytes(values))
            except OSError as error:
                raise _gone(name) from error

    def _receive(self, number: int, like: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the rows that a host sends."""
        n_bytes = self._announced(number, like)
        values = np.empty((n_bytes // _row_bytes(like), *like.shape[1:]), like.dtype)
        self._fill(number, values)
        return values

    def _receive_into(self, number: int, values: npt.NDArray[Any]) -> None:
        if self._announced(number, values) != values.nbytes:
            raise self._differs(number)
        self._fill(number, values)

    def _announced(self, number: int, like: npt.NDArray[Any]) -> int:
        """Return how many bytes a host will send; its rows must be as wide as ``like``."""
        header = np.empty(_HEADER.size, np.uint8)
        self._fill(number, header)
        n_bytes, row_bytes = _HEADER.unpack(header.tobytes())
        if row_bytes != _row_bytes(like):
            raise self._differs(number)
        return int(n_bytes)

    def _differs(self, number: int) -> AlgorithmError:
        return AlgorithmError(
            f"The hosts {self._links[number][0]} and {self.name} train different models: their arrays differ in size.",
            hint="Give every host the same hyperparameters and records of the same width.",
        )

    def _fill(self, number: int, values: npt.NDArray[Any]) -> None:
        name, link = self._links[number]
        rest = _bytes(values)
        while rest:
            try:
                n_bytes = link.recv_into(rest)
            except OSError as error:
                raise _gone(name) from error
            if not n_bytes:
                raise _gone(name)
            rest = rest[n_bytes:]


def _row_bytes(values: npt.NDArray[Any]) -> int:
    return values.dtype.itemsize * math.prod(values.shape[1:])


def _bytes(values: npt.NDArray[Any]) -> memoryview:
    """Return a writable view of an array's bytes, in memory order."""
    assert values.flags.forc, "the array is not contiguous"
    flat = values.ravel(order="K").view(np.uint8)
    return memoryview(flat)  # type: ignore[arg-type]  # arrays are buffers, unlike their stubs


def _gone(name: str) -> AlgorithmError:
    return AlgorithmError(f"The host {name} left the job.", hint="Its log has the reason.")


ALONE = Hosts(["algo-1"], name="algo-1", links=())
"""A job on one host."""
