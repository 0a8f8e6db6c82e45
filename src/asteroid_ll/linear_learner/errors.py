"""The two ways in which a training or inference container fails: the customer's fault, and ours."""

from __future__ import annotations

from asteroid_ll.errors import AsteroidError, DataError


class ClientError(DataError):
    """The data or the hyperparameters are at fault; the message is what the container would say.

    The container writes it to ``/opt/ml/output/failure`` with the prefix ``ClientError: `` and exits with 1.
    """


class AlgorithmError(AsteroidError):
    """Training or scoring failed on valid input, for instance because every model diverged.

    The container writes it to ``/opt/ml/output/failure`` with the prefix ``AlgorithmError: `` and exits with 1.
    """
