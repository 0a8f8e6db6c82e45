"""The Price List API: GetProducts for SageMaker's training, hosting and processing instances.

Every price is SageMaker's own from the bundled table, for that table's region. A derived price is not one that AWS
publishes, so the list leaves it out. A product has the attributes and the terms of AWS's offer AmazonSageMaker (format
``aws_v1``), as a JSON text.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asteroid_ll.emulator.service import JSON, Service
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.instance_prices import REGION, bundled_prices

OFFER = "AmazonSageMaker"
MAX_PAGE = 100
"""AWS's limit for the products of a page, and its default."""

_FORMAT = "aws_v1"
_USAGE = {"Training": "Train", "Hosting": "Host", "Processing": "Processing"}
_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "TERM_MATCH": lambda actual, value: actual == value,
    "EQUALS": lambda actual, value: actual == value,
    "CONTAINS": lambda actual, value: value in actual,
    "ANY_OF": lambda actual, value: actual in value.split(","),
    "NONE_OF": lambda actual, value: actual not in value.split(","),
}

Params = dict[str, Any]


def get_products(params: Params) -> Params:
    """GetProducts.

    Raises:
        ApiError: ``InvalidParameterException`` for another offer or format, ``InvalidNextTokenException``.
    """
    if params["ServiceCode"] != OFFER:
        raise ApiError("InvalidParameterException", f"The emulator has the prices of {OFFER} alone.")
    if params.get("FormatVersion", _FORMAT) != _FORMAT:
        raise ApiError("InvalidParameterException", f"Invalid format version: {params['FormatVersion']}")
    token = params.get("NextToken", "0")
    if not token.isdecimal():
        raise ApiError("InvalidNextTokenException", "The pagination token is invalid. Try again without one.")
    products = [product for product in _products() if _matches(product["product"], params.get("Filters", []))]
    start, stop = int(token), int(token) + params.get("MaxResults", MAX_PAGE)
    texts = [json.dumps(product) for product in products[start:stop]]
    next_token = str(stop) if stop < len(products) else None
    return {"FormatVersion": _FORMAT, "PriceList": texts, "NextToken": next_token}


def _matches(product: Params, filters: list[Params]) -> bool:
    """Return whether a product has the attributes of all filters."""
    values = {**product["attributes"], "productFamily": product["productFamily"], "ServiceCode": OFFER}
    return all(_MATCHES[one["Type"]](values.get(one["Field"], ""), one["Value"]) for one in filters)


def _products() -> Iterator[Params]:
    for name, price in sorted(bundled_prices().items()):
        if not price.is_derived:
            yield from (_product(name, component, price.usd_per_h, price.date) for component in _USAGE)


def _product(name: str, component: str, usd_per_h: float, date: str) -> Params:
    """Return a product of the offer with its only term, in the format ``aws_v1``."""
    usage = f"USE1-{_USAGE[component]}:{name}"
    attributes = {
        "regionCode": REGION,
        "servicecode": OFFER,
        "instanceName": name,
        "component": component,
        "usagetype": usage,
        "location": "US East (N. Virginia)",
        "operation": "RunInstance",
    }
    price = {
        "unit": "Hrs",
        "description": f"${usd_per_h:.10f} per {component} {name} hour in US East (N. Virginia)",
        "pricePerUnit": {"USD": f"{usd_per_h:.10f}"},
    }
    term = {"priceDimensions": {f"{usage}.Hrs": price}, "effectiveDate": f"{date}T00:00:00Z", "termAttributes": {}}
    return {
        "product": {"productFamily": "ML Instance", "attributes": attributes, "sku": usage},
        "serviceCode": OFFER,
        "terms": {"OnDemand": {f"{usage}.OnDemand": term}},
        "publicationDate": f"{date}T00:00:00Z",
    }


SERVICE = Service[Params](
    "pricing",
    JSON,
    operations={"GetProducts": get_products},
    invalid_code="InvalidParameterException",
    missing={"GetProducts": "products other than SageMaker's instances"},
)
