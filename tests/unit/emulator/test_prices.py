"""GetProducts answers as AWS documents it: filters, pages, and one JSON text per product."""

import json

import pytest
from botocore.exceptions import ClientError


@pytest.fixture
def price_list(emulator, client_of):
    return client_of("pricing")


def where(match="TERM_MATCH", **attributes):
    return [{"Type": match, "Field": name, "Value": value} for name, value in attributes.items()]


def products(price_list, filters=(), **more):
    answer = price_list.get_products(ServiceCode="AmazonSageMaker", Filters=list(filters), **more)
    assert answer["FormatVersion"] == "aws_v1"
    return [json.loads(text) for text in answer["PriceList"]]


def test_a_product_has_the_attributes_and_the_hourly_price_of_the_offer(price_list):
    filters = where(regionCode="us-east-1", instanceName="ml.m5.large", component="Training")
    [product] = products(price_list, filters)
    assert product["product"]["productFamily"] == "ML Instance"
    assert product["product"]["attributes"]["usagetype"] == "USE1-Train:ml.m5.large"
    [term] = product["terms"]["OnDemand"].values()
    [dimension] = term["priceDimensions"].values()
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", 0.115)


@pytest.mark.parametrize(
    ("filters", "components"),
    [
        (where(instanceName="ml.m5.large"), ["Hosting", "Processing", "Training"]),
        (where("ANY_OF", component="Hosting,Notebook") + where(instanceName="ml.m5.large"), ["Hosting"]),
        (where("NONE_OF", component="Hosting,Training") + where(instanceName="ml.m5.large"), ["Processing"]),
        (where("CONTAINS", usagetype="Host:ml.m5.la"), ["Hosting"]),
        (where("EQUALS", usagetype="Host:ml.m5.la"), []),
        (where(regionCode="eu-west-1"), []),
        (where(instanceName="ml.m8g.large"), []),
    ],
    ids=["three", "any", "none", "contains", "equals", "other-region", "derived-price"],
)
def test_filters_select_products(price_list, filters, components):
    assert sorted(item["product"]["attributes"]["component"] for item in products(price_list, filters)) == components


def test_pages_follow_each_other_without_a_gap(price_list):
    paginator = price_list.get_paginator("get_products")
    pages = list(paginator.paginate(ServiceCode="AmazonSageMaker", PaginationConfig={"PageSize": 100}))
    sizes = [len(page["PriceList"]) for page in pages]
    skus = [json.loads(text)["product"]["sku"] for page in pages for text in page["PriceList"]]
    assert sizes[:-1] == [100] * (len(sizes) - 1)
    assert len(skus) == len(set(skus)) > 200


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"ServiceCode": "AmazonEC2"}, "InvalidParameterException"),
        ({"ServiceCode": "AmazonSageMaker", "FormatVersion": "aws_v2"}, "InvalidParameterException"),
        ({"ServiceCode": "AmazonSageMaker", "NextToken": "x"}, "InvalidNextTokenException"),
        ({"ServiceCode": "AmazonSageMaker", "MaxResults": 101}, "InvalidParameterException"),
        ({"ServiceCode": "AmazonSageMaker", "Filters": where("LIKE", component="x")}, "InvalidParameterException"),
    ],
    ids=["offer", "format", "token", "page-size", "filter-type"],
)
def test_a_wrong_request_is_refused(price_list, arguments, code):
    with pytest.raises(ClientError) as refused:
        price_list.get_products(**arguments)
    assert refused.value.response["Error"]["Code"] == code
