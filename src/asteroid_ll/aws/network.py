"""The network of a training job and of a model, as SageMaker's requests have it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Network:
    """Where the machines of a job or an endpoint are. The default is SageMaker's own network.

    Attributes:
        subnets: subnets of the account's VPC; none for SageMaker's network.
        security_groups: security groups in them; none without subnets.
        isolation: whether the containers have no network access.
        encrypt_traffic: whether the traffic between the machines of a job is encrypted.
    """

    subnets: Sequence[str] = ()
    security_groups: Sequence[str] = ()
    isolation: bool = False
    encrypt_traffic: bool = False

    def of_model(self) -> dict[str, Any]:
        """Return the members of CreateModel; none that are not set."""
        members: dict[str, Any] = {}
        if self.subnets:
            members["VpcConfig"] = {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_groups)}
        if self.isolation:
            members["EnableNetworkIsolation"] = True
        return members

    def of_job(self) -> dict[str, Any]:
        """Return the members of CreateTrainingJob; none that are not set."""
        return self.of_model() | ({"EnableInterContainerTrafficEncryption": True} if self.encrypt_traffic else {})


SAGEMAKERS_OWN = Network()
"""SageMaker's own network, with access to the internet."""
