"""The Linear Learner image of the configured region."""

from __future__ import annotations

from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner import images as image_registry


def image_uri(region: str) -> str:
    """The URI of the Linear Learner image in a region.

    Raises:
        ConfigError: no image is known for the region.
    """
    uri = image_registry.image_uri(region)
    if uri is None:
        raise ConfigError(
            f"No Linear Learner image is known for region {region!r}.",
            hint=f"Set 'region' to one of {', '.join(image_registry.ACCOUNT_BY_REGION)}.",
        )
    return uri
