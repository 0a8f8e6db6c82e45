"""Regions and instance types are compared with botocore's data; a name that may be newer than it is not refused."""

import subprocess
import sys

import pytest
from botocore.loaders import Loader
from botocore.session import Session

from asteroid_ll.config import Config
from asteroid_ll.config.aws_names import KEYS, doubt
from asteroid_ll.linear_learner.images import dns_suffix


@pytest.fixture(scope="module")
def shapes():
    return Loader().load_service_model("sagemaker", "service-2")["shapes"]


def test_every_region_of_botocore_is_known_with_the_domain_of_its_partition():
    session = Session()
    resolver = session.get_component("endpoint_resolver")
    for partition in session.get_available_partitions():
        for region in session.get_available_regions("sts", partition):
            assert doubt("region", region) is None, region
            assert Config(region=region).region == region
            assert dns_suffix(region) == resolver.get_partition_dns_suffix(partition), region


@pytest.mark.parametrize(
    ("key", "shape"),
    [
        ("training.instance_type", "TrainingInstanceType"),
        ("hosting.instance_type", "ProductionVariantInstanceType"),
        ("hosting.transform_instance_type", "TransformInstanceType"),
        ("processing.instance_type", "ProcessingInstanceType"),
    ],
)
def test_every_instance_type_of_botocore_is_known(shapes, key, shape):
    assert KEYS[key].known() == set(shapes[shape]["enum"])
    assert [name for name in shapes[shape]["enum"] if doubt(key, name)] == []


@pytest.mark.parametrize(
    ("key", "name", "what"),
    [
        ("region", "eu-wset-1", "eu-wset-1 is not an AWS region; did you mean eu-west-1?"),
        ("region", "us-esat-2", "us-esat-2 is not an AWS region; did you mean us-east-2?"),
        ("region", "ue-west-1", "ue-west-1 is not an AWS region; did you mean eu-west-1?"),
        ("training.instance_type", "ml.m5.lage", "is not an instance type for training; did you mean ml.m5.large?"),
        ("training.instance_type", "ml.m5.xxlarge", "is not an instance type for training; did you mean ml.m5.xlarge?"),
        ("hosting.instance_type", "ml.g4nd.xlarge", "is not an instance type for hosting; did you mean ml.g4dn.xlarge"),
        ("training.instance_type", "ml.t2.large", "is not an instance type for training; did you mean ml.t3.large?"),
        ("hosting.transform_instance_type", "ml.t2.medium", "ml.t2.medium is not an instance type for batch transform"),
    ],
)
def test_a_misspelt_name_is_a_problem_with_a_suggestion(key, name, what):
    found = doubt(key, name)
    assert found is not None
    assert found.is_problem
    assert what in found.what


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("region", "eu-west-9"),
        ("region", "ap-southcentral-1"),
        ("region", "th-central-1"),
        ("training.instance_type", "ml.m12.large"),
        ("training.instance_type", "ml.x9g.112xlarge"),
        ("hosting.instance_type", "ml.m5.metal"),
    ],
)
def test_a_name_that_may_be_newer_than_botocore_is_in_doubt_and_no_problem(key, name):
    found = doubt(key, name)
    assert found is not None
    assert not found.is_problem
    assert "new or misspelt; the closest name is" in found.what


def test_any_region_would_have_been_usable_before_botocore_listed_it():
    """With the other regions alone, each is in doubt and no problem."""
    every = KEYS["region"].known()
    for region in every:
        assert not KEYS["region"].is_misspelt(region, every - {region}), region


def test_the_defaults_are_known_without_a_look_at_botocore():
    code = (
        "import sys; from asteroid_ll.config.aws_names import doubt, _data;"
        f"print(doubt('region', {Config().region!r}), doubt('training.instance_type', 'ml.c5.xlarge'),"
        "'botocore' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "None None False"
