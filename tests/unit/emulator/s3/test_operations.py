"""The table of operations against botocore's model of S3, and requests that name none of them."""

from __future__ import annotations

import re

import pytest
from botocore.loaders import create_loader
from botocore.model import ServiceModel

from asteroid_ll.emulator.s3 import service  # noqa: F401 - its import fills the table
from asteroid_ll.emulator.s3.call import OPERATIONS


@pytest.fixture(scope="module")
def s3_model():
    """botocore's model, read afresh, as clients change the routes in theirs."""
    return ServiceModel(create_loader().load_service_model("s3", "service-2"))


@pytest.mark.parametrize("route", OPERATIONS)
def test_an_operation_has_the_name_and_the_route_of_botocores_model(s3_model, route):
    model = s3_model.operation_model(OPERATIONS[route].name)
    uri = re.sub(r"=\d+$", "", model.http["requestUri"])
    path, _, subresource = uri.replace("{Bucket}", "Bucket").replace("{Key+}", "Key").partition("?")
    method, level, parameter, copied = re.fullmatch(r"(\S+) ([^? ]+)\??(\S*)( x-amz-copy-source)?", route).groups()
    assert (level, method) == (path, model.http["method"])
    assert parameter == subresource or parameter == "uploadId"
    members = model.input_shape.members if model.input_shape else {}
    assert bool(copied) == ("CopySource" in members)
    assert (parameter == "uploadId") == ("UploadId" in members)


def test_a_route_that_is_not_in_the_table_is_named(exchange, s3):
    response = exchange("GET", "/rocks/k", query={"torrent": ""})
    assert response.status == 501
    assert b"The S3 operation GET /Bucket/Key?torrent is not implemented." in response.body
