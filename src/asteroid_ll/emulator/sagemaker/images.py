"""The check of container images: the emulator runs Linear Learner's only."""

from __future__ import annotations

from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.linear_learner import images as image_registry


def image_uri(region: str) -> str:
    """Return Linear Learner's image in a region.

    Raises:
        ApiError: ``ValidationException`` if the region has none.
    """
    uri = image_registry.image_uri(region)
    if uri is None:
        raise ApiError("ValidationException", f"Linear Learner has no image in the region {region}.")
    return uri


def check_image(image: str, region: str, *, what: str) -> None:
    """Refuse an image that is not the region's Linear Learner, in AWS's words.

    Args:
        image: the image's URI; no tag, ``1`` and ``latest`` are the same image.
        region: the region of the job or model.
        what: its name in the message, such as ``training image``.

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
            f"<region>.<dns-suffix>: '{region}.{image_registry.dns_suffix(region)}'",
        )
    raise ApiError("ValidationException", f"Cannot find the requested image: {image}")
