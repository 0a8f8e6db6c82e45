"""GetProducts answers as AWS documents it: filters, pages, and one JSON text per product."""

import json

import pytest

OFFER = "AmazonSageMaker"


@pytest.fixture
def price_list(virtual, client_of):
    return client_of("pricing")


def filters(match="TERM_MATCH", **attributes):
    return [{"Type": match, "Field": name, "Value": value} for name, value in attributes.items()]


@pytest.mark.parametrize(
    ("chosen", "components"),
    [
        (filters(instanceName="ml.m5.large"), ["Hosting", "Processing", "Training"]),
        (filters("ANY_OF", component="Hosting,Notebook") + filters(instanceName="ml.m5.large"), ["Hosting"]),
        (filters("NONE_OF", component="Hosting,Training") + filters(instanceName="ml.m5.large"), ["Processing"]),
        (filters("CONTAINS", usagetype="Host:ml.m5.la"), ["Hosting"]),
        (filters("EQUALS", usagetype="Host:ml.m5.la"), []),
        (filters(regionCode="eu-west-1"), []),
        (filters(instanceName="ml.m8g.large"), []),
    ],
    ids=["three", "any", "none", "contains", "equals", "other-region", "derived-price"],
)
def test_filters_select_products(price_list, chosen, components):
    products = map(json.loads, price_list.get_products(ServiceCode=OFFER, Filters=chosen)["PriceList"])
    assert sorted(product["product"]["attributes"]["component"] for product in products) == components


def test_pages_follow_each_other_and_a_product_has_its_price_per_hour(price_list):
    paginator = price_list.get_paginator("get_products")
    pages = list(paginator.paginate(ServiceCode=OFFER, PaginationConfig={"PageSize": 100}))
    assert [len(page["PriceList"]) for page in pages[:-1]] == [100] * (len(pages) - 1)
    products = [json.loads(text) for page in pages for text in page["PriceList"]]
    by_sku = {product["product"]["sku"]: product for product in products}
    assert len(by_sku) == len(products) > 200
    product = by_sku["USE1-Train:ml.m5.large"]
    [term] = product["terms"]["OnDemand"].values()
    [dimension] = term["priceDimensions"].values()
    assert (dimension["unit"], float(dimension["pricePerUnit"]["USD"])) == ("Hrs", 0.115)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"ServiceCode": "AmazonEC2"}, "InvalidParameterException"),
        ({"FormatVersion": "aws_v2"}, "InvalidParameterException"),
        ({"NextToken": "x"}, "InvalidNextTokenException"),
        ({"MaxResults": 101}, "InvalidParameterException"),
        ({"Filters": filters("LIKE", component="x")}, "InvalidParameterException"),
    ],
    ids=["offer", "format", "token", "page-size", "filter-type"],
)
def test_a_wrong_request_is_refused(price_list, refused, change, code):
    assert refused(price_list.get_products, **{"ServiceCode": OFFER, **change})[0] == code
