"""InvokeEndpoint over REST-JSON: no text in any member of the request is an internal failure."""

from __future__ import annotations

from urllib.parse import quote

from botocore.model import ServiceModel

from asteroid_ll.emulator.transport.messages import Request

SIGNED = "AWS4-HMAC-SHA256 Credential=A/20260101/us-west-2/sagemaker/aws4_request, Signature=0"
TEXTS = (
    "",
    "x",
    "1.5",
    "-1",
    "true",
    "9" * 30,
    "a/b; c",
    ",",
    "é",
    '"',
    "application/json;q=x",
    "text/csv; label_size",
)
BODIES = (b"", b"\xff", b"{}", b"[]", b"null", b"1", b"1,x", b'{"instances": 1}', b'{"instances": [{"features": {}}]}')


def test_no_wrong_type_of_any_member_is_an_internal_failure(emulator, sagemaker, model, loader):
    variant = {"VariantName": "v", "ModelName": model, "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="e", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="e")
    runtime = ServiceModel(loader.load_service_model("sagemaker-runtime", "service-2"), "sagemaker-runtime")
    members = runtime.operation_model("InvokeEndpoint").input_shape.members.values()
    names = [str(m.serialization["name"]).lower() for m in members if m.serialization.get("location") == "header"]
    assert {"content-type", "accept", "x-amzn-sagemaker-target-variant"} < set(names)

    def status(name="e", body=b"1,2", **headers):
        path = f"/endpoints/{quote(name)}/invocations"
        signed = {"authorization": SIGNED, "content-type": "text/csv", "accept": "application/json", **headers}
        return emulator.handle(Request("POST", "localhost", path, headers=signed, body=body)).status

    assert status() == 200
    assert {status(**{name: text}) for name in names for text in TEXTS} <= {200, 400, 424}
    types = ("text/csv", "application/json", "application/jsonlines", "application/x-recordio-protobuf")
    assert {status(body=body, **{"content-type": kind}) for kind in types for body in BODIES} <= {200, 424}
    assert {status(name) for name in TEXTS} <= {400, 501}
