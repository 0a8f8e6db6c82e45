"""The default image of processing jobs in each region: AWS's Deep Learning Container for PyTorch.

Only its Python, numpy and pandas are used. The accounts and the tag are those of the image table for ``pytorch`` in
AWS's SageMaker Python SDK (training, CPU).
"""

from __future__ import annotations

import re

from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.images import dns_suffix

ECR_IMAGE = r"[0-9]{12}\.dkr\.ecr(-fips)?\.[a-z0-9-]+\.[a-z0-9.-]+/[a-z0-9][a-z0-9._/-]*([:@]\S+)?"
"""The URIs of images in Amazon ECR, from where alone SageMaker takes them: a pattern for Python and for ECMA 262."""

REPOSITORY = "pytorch-training"
VERSION = "2.8.0"
PYTHON = "py312"

ACCOUNT_BY_REGION = {
    "af-south-1": "626614931356",
    "ap-east-1": "871362719292",
    "ap-east-2": "975050140332",
    "ap-northeast-1": "763104351884",
    "ap-northeast-2": "763104351884",
    "ap-northeast-3": "364406365360",
    "ap-south-1": "763104351884",
    "ap-south-2": "772153158452",
    "ap-southeast-1": "763104351884",
    "ap-southeast-2": "763104351884",
    "ap-southeast-3": "907027046896",
    "ap-southeast-4": "457447274322",
    "ap-southeast-5": "550225433462",
    "ap-southeast-6": "633930458069",
    "ap-southeast-7": "590183813437",
    "ca-central-1": "763104351884",
    "ca-west-1": "204538143572",
    "cn-north-1": "727897471807",
    "cn-northwest-1": "727897471807",
    "eu-central-1": "763104351884",
    "eu-central-2": "380420809688",
    "eu-north-1": "763104351884",
    "eu-south-1": "692866216735",
    "eu-south-2": "503227376785",
    "eu-west-1": "763104351884",
    "eu-west-2": "763104351884",
    "eu-west-3": "763104351884",
    "il-central-1": "780543022126",
    "me-central-1": "914824155844",
    "me-south-1": "217643126080",
    "mx-central-1": "637423239942",
    "sa-east-1": "763104351884",
    "us-east-1": "763104351884",
    "us-east-2": "763104351884",
    "us-gov-east-1": "446045086412",
    "us-gov-west-1": "442386744353",
    "us-west-1": "763104351884",
    "us-west-2": "763104351884",
}
"""The account whose registry has the image, by region."""


def default_image(region: str) -> str:
    """Return the URI of the image in a region.

    Raises:
        ConfigError: no image is known for the region.
    """
    if region not in ACCOUNT_BY_REGION:
        raise ConfigError(
            f"No image for processing jobs is known for region {region!r}.",
            hint="Set 'processing.image_uri' to an image with Python 3.11 or newer in a registry of yours.",
        )
    registry = f"{ACCOUNT_BY_REGION[region]}.dkr.ecr.{region}.{dns_suffix(region)}"
    return f"{registry}/{REPOSITORY}:{VERSION}-cpu-{PYTHON}"


def region_of(image: str) -> str:
    """Return the region in the URI of an image, or an empty text if it is not one of Amazon ECR."""
    return image.split(".")[3] if re.fullmatch(ECR_IMAGE, image) else ""
