"""The Linear Learner image of each region, which the client and the emulator both use, and the generations of images.

The accounts are those of the image table for ``linear-learner`` in AWS's SageMaker Python SDK (repository
``linear-learner``, version 1, the same image for training and hosting).
"""

from __future__ import annotations

from dataclasses import dataclass

from asteroid_ll.errors import ConfigError

REPOSITORY = "linear-learner"
VERSION = "1"

NEWER_SCORES = frozenset(
    {
        "rmse",
        "r2",
        "mae",
        "binary_balanced_accuracy",
        "binary_log_loss",
        "multiclass_balanced_accuracy",
        "multiclass_log_loss",
    }
)
"""The scores that images of 2021 do not print and those from 2022 on do."""


@dataclass(frozen=True)
class Generation:
    """The images of some years, which print the same lines.

    AWS replaces the image behind the tag ``1`` from time to time. Source: public logs of real jobs.

    Args:
        year: the year of the logs.
        python: version of Python, which is part of a path in the log.
        process: number of the process that trains.
        has_newer_scores: whether the end scores include `NEWER_SCORES`.
        repeats_configuration: whether two lines about the configuration are printed twice.
    """

    year: str
    python: str
    process: int
    has_newer_scores: bool
    repeats_configuration: bool

    @property
    def tag(self) -> str:
        """The tag of the image: AWS's own for the newest generation, and one of this emulator for the others."""
        return VERSION if self is NEWEST else f"{VERSION}-{self.year}"


NEWEST = Generation("2025", "3.8", 7, has_newer_scores=True, repeats_configuration=True)
GENERATIONS = {
    generation.year: generation
    for generation in (
        Generation("2021", "3.7", 1, has_newer_scores=False, repeats_configuration=False),
        Generation("2022", "3.7", 1, has_newer_scores=True, repeats_configuration=False),
        NEWEST,
    )
}
"""The generations by year. The log of 2025 is that of 2024 too, and of 2023 but for the number of the process, 6."""

ACCOUNT_BY_REGION = {
    "af-south-1": "455444449433",
    "ap-east-1": "286214385809",
    "ap-northeast-1": "351501993468",
    "ap-northeast-2": "835164637446",
    "ap-northeast-3": "867004704886",
    "ap-south-1": "991648021394",
    "ap-south-2": "628508329040",
    "ap-southeast-1": "475088953585",
    "ap-southeast-2": "712309505854",
    "ap-southeast-3": "951798379941",
    "ap-southeast-4": "106583098589",
    "ca-central-1": "469771592824",
    "ca-west-1": "190319476487",
    "cn-north-1": "390948362332",
    "cn-northwest-1": "387376663083",
    "eu-central-1": "664544806723",
    "eu-central-2": "680994064768",
    "eu-north-1": "669576153137",
    "eu-south-1": "257386234256",
    "eu-south-2": "104374241257",
    "eu-west-1": "438346466558",
    "eu-west-2": "644912444149",
    "eu-west-3": "749696950732",
    "il-central-1": "898809789911",
    "me-central-1": "272398656194",
    "me-south-1": "249704162688",
    "sa-east-1": "855470959533",
    "us-east-1": "382416733822",
    "us-east-2": "404615174143",
    "us-gov-east-1": "237065988967",
    "us-gov-west-1": "226302683700",
    "us-iso-east-1": "490574956308",
    "us-isob-east-1": "765400339828",
    "us-isof-east-1": "108575199400",
    "us-isof-south-1": "124985052026",
    "us-west-1": "632365934929",
    "us-west-2": "174872318107",
}
"""The account whose registry has the image, by region."""

_DOMAIN_BY_REGION_PREFIX = {
    "cn-": "amazonaws.com.cn",
    "eu-isoe-": "cloud.adc-e.uk",
    "eusc-": "amazonaws.eu",
    "us-iso-": "c2s.ic.gov",
    "us-isob-": "sc2s.sgov.gov",
    "us-isof-": "csp.hci.ic.gov",
}


def dns_suffix(region: str) -> str:
    """Return the domain of a region's registry, such as ``amazonaws.com``."""
    domains = (domain for prefix, domain in _DOMAIN_BY_REGION_PREFIX.items() if region.startswith(prefix))
    return next(domains, "amazonaws.com")


def account_of(region: str) -> str:
    """Return the account whose registry has the Linear Learner image in a region.

    Raises:
        ConfigError: no image is known for the region.
    """
    if region not in ACCOUNT_BY_REGION:
        raise ConfigError(
            f"No Linear Learner image is known for region {region!r}.",
            hint=f"Set 'region' to one of {', '.join(ACCOUNT_BY_REGION)}.",
        )
    return ACCOUNT_BY_REGION[region]


def image_uri(region: str) -> str:
    """Return the URI of the Linear Learner image in a region.

    Raises:
        ConfigError: no image is known for the region.
    """
    return f"{account_of(region)}.dkr.ecr.{region}.{dns_suffix(region)}/{REPOSITORY}:{VERSION}"


def generation_of(image: str) -> Generation:
    """Return the generation of an image by the tag in its URI: the newest one unless the tag names a year."""
    tag = image.rpartition("/")[2].partition(":")[2]
    return next((generation for generation in GENERATIONS.values() if generation.tag == tag), NEWEST)
