"""Every request of a company's configuration is valid by botocore's model, patterns and lengths included."""

import contextlib
import itertools
from types import SimpleNamespace

import pytest
from botocore.validate import ParamValidator

from asteroid_ll.aws import endpoints, jobs, tags
from asteroid_ll.aws.job_request import create_body
from asteroid_ll.aws.network import Network
from asteroid_ll.aws.storage import upload_file
from asteroid_ll.config import Config
from asteroid_ll.emulator import api_model
from asteroid_ll.emulator.service import ApiModel
from asteroid_ll.errors import AwsError
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.run import paths
from asteroid_ll.run.files import write_json
from asteroid_ll.stages import train
from asteroid_ll.stages.waiting import while_waiting

REGIONS = {"aws": "eu-central-1", "aws-cn": "cn-north-1", "aws-us-gov": "us-gov-west-1"}
KEY = "mrk-1234abcd12ab34cd56ef1234567890ab"
SPOT = ({}, {"spot": True}, {"spot": True, "max_wait_s": 2400})
MODES = ("File", "FastFile", "Pipe")
NETWORKS = (
    {},
    {"isolation": True, "encrypt_traffic": True},
    {"subnets": ["subnet-0123456789abcdef0"] * 16, "security_groups": ["sg-12345678"] * 5},
)
TYPES = ("ml.m5.large", ["ml.c5.xlarge", "ml.m5.large"])
TAGS = ({}, {f"cost centre {number}": "a:b/c=d@e.f" for number in range(46)})


def keys(partition, region):
    arn = f"arn:{partition}:kms:{region}:111122223333"
    return {}, {"volume": f"{arn}:key/{KEY}", "output": f"{arn}:alias/a", "s3": "alias/aws/s3"}, {"volume": KEY}


def configurations():
    """Every combination for each partition; the tags and the list of types alternate."""
    alternating = itertools.cycle(zip(TAGS, TYPES, strict=True))
    for partition, region in REGIONS.items():
        place = {"region": region, "role_arn": f"arn:{partition}:iam::111122223333:role/service/x", "target": "aws"}
        for spot, mode, kms, network in itertools.product(SPOT, MODES, keys(partition, region), NETWORKS):
            more, types = next(alternating)
            training = {**spot, "input_mode": mode, "instance_type": types}
            given = {**place, "training": training, "kms": kms, "network": network, "tags": more}
            yield Config.model_validate(given)


@pytest.fixture
def context_of(tmp_path):
    """Make what the train stage reads of its context."""

    def make(config):
        return SimpleNamespace(config=config, path=tmp_path.joinpath, fingerprint="a" * 64, run="asteroid-run-0123abcd")

    channels = {name: f"s3://asteroids/x/{name}/" for name in ("train", "validation")}
    write_json(
        tmp_path / paths.MANIFEST,
        {"bucket": "asteroids", "channels": channels, "output": "s3://asteroids/x/output/"},
    )
    return make


@pytest.fixture
def check(loader):
    """Check a request against the model, as botocore does before it sends and as AWS does afterwards."""
    model = ApiModel(loader)

    def check(operation, body):
        shape = model.operation("sagemaker", operation).input_shape
        assert not ParamValidator().validate(body, shape).has_errors()
        api_model.check(shape, body)

    return check


def test_every_combination_gives_a_valid_job_in_every_partition(context_of, check):
    sent = set()
    for config in configurations():
        for instance_type in config.training.instance_types:
            body = create_body(train._request(context_of(config), "asteroid-ll-job", instance_type))
            check("CreateTrainingJob", body)
            sent.add(repr({name: value for name, value in body.items() if name != "Tags"}))
    assert len(sent) >= 3 * 3 * 3 * 3 * len(REGIONS)


def test_every_combination_gives_a_valid_model_and_configuration(make_aws, script, check):
    for operation in ("Model", "EndpointConfig"):
        script.on(f"Create{operation}", {f"{operation}Arn": "arn"})
    for partition, region in REGIONS.items():
        aws = make_aws(region=region)
        for network, kms, more in itertools.product(NETWORKS, keys(partition, region), TAGS):
            tagged = tags.tags(fingerprint="a" * 64, run="asteroid-run-0123abcd", expires_s=1e9, extra=more)
            endpoints.create_or_adopt_model(
                aws,
                "asteroid-ll-model",
                image_uri=image_uri(region),
                artifact_s3_uri="s3://asteroids/x/output/model.tar.gz",
                role_arn=f"arn:{partition}:iam::111122223333:role/x",
                tags=tagged,
                network=Network(**network),
            )
            endpoints.create_or_adopt_endpoint_config(
                aws,
                "asteroid-ll-config",
                model_name="asteroid-ll-model",
                instance_type="ml.t2.medium",
                instance_count=1,
                variant_name="AllTraffic",
                tags=tagged,
                volume_kms=kms.get("volume"),
            )
    assert len(script.calls) == 3 * 3 * 2 * 2 * len(REGIONS)
    for name, body in script.calls:
        check(name, body)


def test_what_is_not_set_is_not_sent(aws, script, context_of):
    script.on("CreateTrainingJob", {"TrainingJobArn": "arn"})
    config = Config()
    jobs.create_or_adopt_training_job(aws, train._request(context_of(config), "asteroid-ll-job", "ml.m5.large"))
    (_, body) = script.calls[0]
    assert body.keys() == {
        *("TrainingJobName", "AlgorithmSpecification", "RoleArn", "HyperParameters", "InputDataConfig"),
        *("OutputDataConfig", "ResourceConfig", "StoppingCondition", "Tags"),
    }
    assert body["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800}


def test_a_spot_job_waits_as_long_as_aws_allows_and_keeps_checkpoints_below_its_own_prefix(aws, script, context_of):
    script.on("CreateTrainingJob", {"TrainingJobArn": "arn"})
    config = Config(training={"spot": True}, prefix="team/asteroids")
    jobs.create_or_adopt_training_job(aws, train._request(context_of(config), "asteroid-ll-job-2", "ml.m5.large"))
    (_, body) = script.calls[0]
    assert body["EnableManagedSpotTraining"] is True
    assert body["StoppingCondition"] == {"MaxRuntimeInSeconds": 1800, "MaxWaitTimeInSeconds": 3600}
    assert body["CheckpointConfig"] == {"S3Uri": "s3://asteroids/team/asteroids/checkpoints/asteroid-ll-job-2/"}


@pytest.mark.parametrize("size_bytes", [3, 65 * 1024 * 1024], ids=["in one part", "in parts"])
def test_an_upload_names_its_key(aws, script, say, tmp_path, size_bytes):
    path = tmp_path / "file"
    with path.open("wb") as file:
        file.truncate(size_bytes)
    script.on("S3 HEAD", say.s3_refusal("404", status=404))
    for method in ("PUT", "POST"):  # an upload in parts begins with a POST; its refusal is enough to see the headers
        script.on(f"S3 {method}", say.s3_refusal("AccessDenied", status=403))
    with contextlib.suppress(AwsError):
        upload_file(aws, path, bucket="asteroids", key="x", sha256="00" * 32, kms_key="alias/a")
    (sent,) = [body for name, body in script.calls if name in ("S3 PUT", "S3 POST")]
    assert sent["x-amz-server-side-encryption"] == "aws:kms"
    assert sent["x-amz-server-side-encryption-aws-kms-key-id"] == "alias/a"


@pytest.mark.parametrize("kind", ["training-job", "processing-job"])
def test_a_log_that_may_not_be_read_is_reported_once(aws, script, say, kind):
    script.on("DescribeLogStreams", say.refusal("AccessDeniedException", "not authorized"))
    said = []
    context = SimpleNamespace(log=said.append, progress=said.append, connect=lambda: aws, idle=lambda: None)
    report = while_waiting(context, kind, "asteroid-ll-job")
    report()
    report()
    assert len(said) == 1
    words = kind.replace("-", " ")
    assert said[0].startswith(f"AWS denied logs:DescribeLogStreams while reading the log of {words} asteroid-ll-job")
    assert said[0].endswith("The log is not shown.")
