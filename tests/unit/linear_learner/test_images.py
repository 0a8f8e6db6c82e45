from __future__ import annotations

import re

import pytest
from botocore.session import Session

from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.images import ACCOUNT_BY_REGION, GENERATIONS, generation_of, image_uri


@pytest.mark.parametrize(
    ("region", "uri"),
    [
        ("us-east-1", "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1"),
        ("us-west-2", "174872318107.dkr.ecr.us-west-2.amazonaws.com/linear-learner:1"),
        ("cn-north-1", "390948362332.dkr.ecr.cn-north-1.amazonaws.com.cn/linear-learner:1"),
    ],
)
def test_the_image_of_a_region(region, uri):
    assert image_uri(region) == uri


@pytest.fixture(scope="module")
def session() -> Session:
    return Session()


@pytest.mark.parametrize("region", sorted(ACCOUNT_BY_REGION))
def test_the_domain_is_that_of_the_regions_partition(session, region):
    resolver = session.get_component("endpoint_resolver")
    suffix = resolver.get_partition_dns_suffix(session.get_partition_for_region(region))
    assert re.fullmatch(rf"\d{{12}}\.dkr\.ecr\.{region}\.{re.escape(suffix)}/linear-learner:1", image_uri(region))


def test_a_region_without_an_image_is_named():
    with pytest.raises(ConfigError, match="mars-1") as caught:
        image_uri("mars-1")
    assert "us-east-1" in caught.value.hint


@pytest.mark.parametrize(
    ("reference", "year"),
    [
        ("", "2025"),
        (":1", "2025"),
        (":latest", "2025"),
        (":1-2021", "2021"),
        (":1-2022", "2022"),
        ("@sha256:ab", "2025"),
    ],
)
def test_the_tag_of_an_image_names_its_generation(reference, year):
    image = f"174872318107.dkr.ecr.us-west-2.amazonaws.com/linear-learner{reference}"
    assert generation_of(image) is GENERATIONS[year]
