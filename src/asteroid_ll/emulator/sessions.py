"""botocore sessions for clients of the emulator. They have dummy credentials and ignore the machine's AWS settings."""

from __future__ import annotations

import math
import os
from functools import cache
from typing import Any

from botocore.configprovider import (
    BOTOCORE_DEFAUT_SESSION_VARIABLES,
    ConfigValueStore,
    ConstantProvider,
    create_botocore_default_config_mapping,
)
from botocore.loaders import Loader
from botocore.session import Session

CREDENTIAL = "emulator"
"""The access key and the secret key of every client."""

_POLL_S = 0.05


@cache
def data_loader() -> Loader:
    """Return the process's one loader of botocore's service models, which take 0.1 s to read."""
    return Loader()


def new_session(region: str | None = None) -> Session:
    """Return a session with botocore's default for every setting: no ``AWS_*`` variable and no ``~/.aws`` counts.

    Args:
        region: the region of clients that are made without one.
    """
    session = Session()
    session.register_component("data_loader", data_loader())
    providers = dict(create_botocore_default_config_mapping(session))
    for name, (_, _, default, _) in BOTOCORE_DEFAUT_SESSION_VARIABLES.items():
        providers[name] = ConstantProvider(value=default)
    settings = {
        "config_file": os.devnull,
        "credentials_file": os.devnull,
        "ignore_configured_endpoint_urls": True,
        "region": region,
        "s3": {},
    }
    providers |= {name: ConstantProvider(value=value) for name, value in settings.items()}
    session.register_component("config_store", ConfigValueStore(mapping=providers))
    session.set_credentials(CREDENTIAL, CREDENTIAL)
    return session


def poll_quickly(waiter: Any) -> Any:
    """Make a botocore waiter poll every 0.05 s. It still waits as long as its delay times its attempts.

    Returns:
        The same waiter.
    """
    wait = waiter.wait

    def wait_quickly(**arguments: Any) -> None:
        config = arguments.pop("WaiterConfig", {})
        delay_s = config.get("Delay", waiter.config.delay)
        attempts = config.get("MaxAttempts", waiter.config.max_attempts)
        if delay_s > _POLL_S:
            delay_s, attempts = _POLL_S, math.ceil(delay_s * attempts / _POLL_S)
        wait(**arguments, WaiterConfig={"Delay": delay_s, "MaxAttempts": attempts})

    waiter.wait = wait_quickly
    return waiter


class QuickWaiters:
    """A base class for clients whose waiters poll quickly."""

    def get_waiter(self, waiter_name: str) -> Any:
        """Return the client's waiter of that name."""
        return poll_quickly(super().get_waiter(waiter_name))  # type: ignore[misc]
