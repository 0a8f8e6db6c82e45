"""The two kinds of failure of a training or inference container: the customer's and the algorithm's."""

from __future__ import annotations

from asteroid_ll.errors import AsteroidError, DataError


class ClientError(DataError):
    """The data or the hyperparameters are wrong. The message is the container's.

    The container writes it to ``/opt/ml/output/failure`` with the prefix ``ClientError: `` and exits with 1.
    """


class AlgorithmError(AsteroidError):
    """Training or scoring failed on valid input, for instance because every model diverged.

    The container writes it to ``/opt/ml/output/failure`` with the prefix ``AlgorithmError: `` and exits with 1.
    """
