"""What another run has left beyond its time is a warning with the command that deletes it."""

from __future__ import annotations

import pytest

from asteroid_ll.aws.checks.leftovers import leftovers_check
from asteroid_ll.aws.tags import tags, to_api

NAME = "asteroid-ll-0123456789abcdef-01234567"


@pytest.mark.parametrize(
    ("run", "expires_s", "status"),
    [("theirs", 1.0, "warning"), ("theirs", 1e11, "ok"), ("theirs", None, "ok"), ("mine", 1.0, "ok")],
)
def test_only_an_expired_endpoint_of_another_run_is_a_warning(aws, script, run, expires_s, status):
    endpoint = {"EndpointName": NAME, "EndpointArn": f"arn:{NAME}", "EndpointStatus": "InService"}
    script.on("ListEndpoints", {"Endpoints": [endpoint]})
    script.on("ListTrainingJobs", {"TrainingJobSummaries": []})
    script.on("ListTags", {"Tags": to_api(tags(fingerprint="f", run=run, expires_s=expires_s))})
    script.on("DescribeEndpoint", {"EndpointName": NAME, "EndpointStatus": "InService", "EndpointConfigName": "c"})
    variant = {"VariantName": "v", "ModelName": "m", "InstanceType": "ml.t2.medium", "InitialInstanceCount": 1}
    script.on("DescribeEndpointConfig", {"EndpointConfigName": "c", "ProductionVariants": [variant]})
    check = leftovers_check(aws, run="mine")
    assert check.status == status
    if status == "warning":
        assert check.fact.startswith("1 endpoint of another run expired ")
        assert check.fixes == ("asteroid-ll sweep --expired",)
