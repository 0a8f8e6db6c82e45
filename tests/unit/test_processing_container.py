"""The contract of the container fits SageMaker's limits."""

from __future__ import annotations

from botocore.session import get_session

from asteroid_ll import processing_container as contract


def test_the_entry_point_fits_sagemakers_limits() -> None:
    operation = get_session().get_service_model("sagemaker").operation_model("CreateProcessingJob")
    shape = operation.input_shape.members["AppSpecification"].members["ContainerEntrypoint"]
    assert len(contract.ENTRYPOINT) <= shape.metadata["max"]
    assert all(len(part) <= shape.member.metadata["max"] for part in contract.ENTRYPOINT)


def test_the_longest_message_is_sagemakers() -> None:
    operation = get_session().get_service_model("sagemaker").operation_model("DescribeProcessingJob")
    assert operation.output_shape.members["ExitMessage"].metadata["max"] == contract.MAX_MESSAGE_BYTES
