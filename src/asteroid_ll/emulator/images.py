"""Where AWS keeps Linear Learner's image, by region; no other image runs here.

The accounts are those of the SageMaker Python SDK's own image table.
"""

from __future__ import annotations

from asteroid_ll.emulator.http import ApiError

_ACCOUNTS = {
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
_SUFFIXES = {
    "cn": "amazonaws.com.cn",
    "us-iso": "c2s.ic.gov",
    "us-isob": "sc2s.sgov.gov",
    "us-isof": "csp.hci.ic.gov",
}


def image_uri(region: str) -> str:
    """Linear Learner's image in a region.

    Raises:
        ApiError: ``ValidationException`` for a region without one.
    """
    if region not in _ACCOUNTS:
        raise ApiError("ValidationException", f"Linear Learner has no image in the region {region}.")
    return f"{_ACCOUNTS[region]}.dkr.ecr.{region}.{_dns_suffix(region)}/linear-learner:1"


def check_image(image: str, region: str, *, what: str) -> None:
    """Refuse an image that is not the region's Linear Learner, in AWS's words.

    Args:
        image: the image's URI; the tags ``1`` and ``latest`` are the same image, and so is none.
        region: the region of the job or model.
        what: how the message calls it, such as ``training image``.

    Raises:
        ApiError: ``ValidationException``.
    """
    expected = image_uri(region)
    repository = expected.removesuffix(":1")
    if image in {repository, expected, f"{repository}:latest"} or image.startswith(f"{repository}@sha256:"):
        return
    host = image.partition("/")[0]
    fields = host.split(".")
    if len(fields) > 4 and fields[1:3] == ["dkr", "ecr"] and fields[3] != region:
        raise ApiError(
            "ValidationException",
            f"Invalid DNS suffix '{'.'.join(fields[4:])}' for region '{fields[3]}' in {what}. Please provide the valid "
            f"<region>.<dns-suffix>: '{region}.{_dns_suffix(region)}'",
        )
    raise ApiError("ValidationException", f"Cannot find the requested image: {image}")


def _dns_suffix(region: str) -> str:
    return _SUFFIXES.get(region.rsplit("-", 2)[0], "amazonaws.com")
