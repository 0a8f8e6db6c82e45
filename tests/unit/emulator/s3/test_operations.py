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


@pytest.mark.parametrize(
    ("method", "subresource", "message"),
    [
        ("GET", "torrent", b"The query parameter torrent is not implemented."),
        ("DELETE", "acl", b"The S3 operation DELETE /Bucket/Key?acl is not implemented."),
    ],
)
def test_an_operation_that_is_not_in_the_table_is_refused_by_name(exchange, s3, method, subresource, message):
    response = exchange(method, "/rocks/k", query={subresource: ""})
    assert (response.status, message in response.body) == (501, True)
