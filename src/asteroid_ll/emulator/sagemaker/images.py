"""The check of container images: the emulator runs Linear Learner's only."""

from __future__ import annotations

from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.images import GENERATIONS, dns_suffix, image_uri


def check_image(image: str, region: str, *, what: str) -> None:
    """Refuse an image that is not the region's Linear Learner, in AWS's words.

    Args:
        image: the image's URI; no tag, ``1`` and ``latest`` are the newest image, and a tag such as ``1-2021`` is an
            older one, whose log differs.
        region: the region of the job or model.
        what: its name in the message, such as ``training image``.

    Raises:
        ApiError: ``ValidationException``.
    """
    try:
        expected = image_uri(region)
    except ConfigError as error:
        message = f"Linear Learner has no image in the region {region}."
        raise ApiError("ValidationException", message) from error
    repository = expected.removesuffix(":1")
    tags = {"latest", *(generation.tag for generation in GENERATIONS.values())}
    if image in {repository, *(f"{repository}:{tag}" for tag in tags)} or image.startswith(f"{repository}@sha256:"):
        return
    host = image.partition("/")[0]
    fields = host.split(".")
    if len(fields) > 4 and fields[1:3] == ["dkr", "ecr"] and fields[3] != region:
        raise ApiError(
            "ValidationException",
            f"Invalid DNS suffix '{'.'.join(fields[4:])}' for region '{fields[3]}' in {what}. Please provide the valid "
            f"<region>.<dns-suffix>: '{region}.{dns_suffix(region)}'",
        )
    raise ApiError("ValidationException", f"Cannot find the requested image: {image}")
