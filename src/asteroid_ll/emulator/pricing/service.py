"""The Price List API: GetProducts for SageMaker's training, hosting and processing instances.

Every price is SageMaker's own from the bundled table, for that table's region. A derived price is not one that AWS
publishes, so the list leaves it out. A product has the attributes and the terms of AWS's offer AmazonSageMaker (format
``aws_v1``), as a JSON text.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from asteroid_ll.emulator.json_service import JsonService
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.instance_prices import REGION, bundled_prices

OFFER = "AmazonSageMaker"
MAX_PAGE = 100
"""AWS's limit for the products of a page, and its default."""

_FORMAT = "aws_v1"
_USAGE = {"Training": "Train", "Hosting": "Host", "Processing": "Processing"}
_PAGE = "page-"
_ON_DEMAND = "JRTCKXETXF"
_PER_HOUR = "6YS6EN2CT7"
"""AWS's codes for on-demand terms, and for a price per hour."""

Params = dict[str, Any]

_MATCHES: Mapping[str, Callable[[str, str], bool]] = {
    "TERM_MATCH": lambda actual, value: actual == value,
    "EQUALS": lambda actual, value: actual == value,
    "CONTAINS": lambda actual, value: value in actual,
    "ANY_OF": lambda actual, value: actual in value.split(","),
    "NONE_OF": lambda actual, value: actual not in value.split(","),
}


def get_products(params: Params) -> Params:
    """GetProducts.

    Raises:
        ApiError: ``InvalidParameterException`` for another offer or format, ``InvalidNextTokenException``.
    """
    if params["ServiceCode"] != OFFER:
        raise ApiError("InvalidParameterException", f"The emulator has the prices of {OFFER} alone.")
    if params.get("FormatVersion", _FORMAT) != _FORMAT:
        raise ApiError("InvalidParameterException", f"Invalid format version: {params['FormatVersion']}")
    filters = params.get("Filters", [])
    found = [
        product
        for product in _products()
        if all(
            _MATCHES[wanted["Type"]](_attribute(product, wanted["Field"]), str(wanted["Value"])) for wanted in filters
        )
    ]
    start, size = _start(params.get("NextToken")), int(params.get("MaxResults", MAX_PAGE))
    answer: Params = {
        "FormatVersion": _FORMAT,
        "PriceList": [json.dumps(product) for product in found[start : start + size]],
    }
    return answer | ({"NextToken": f"{_PAGE}{start + size}"} if start + size < len(found) else {})


def _start(token: str | None) -> int:
    if token is None:
        return 0
    offset = token.removeprefix(_PAGE)
    if offset == token or not offset.isdecimal():
        raise ApiError("InvalidNextTokenException", "The pagination token is invalid. Try again without one.")
    return int(offset)


def _attribute(product: Params, name: str) -> str:
    if name.lower() == "servicecode":
        return OFFER
    attributes: Mapping[str, str] = product["product"]["attributes"]
    return attributes.get(name, product["product"]["productFamily"] if name == "productFamily" else "")


def _products() -> Iterator[Params]:
    for name, price in sorted(bundled_prices().items()):
        if not price.is_derived:
            yield from (_product(name, component, price.usd_per_h, price.date) for component in _USAGE)


def _product(name: str, component: str, usd_per_h: float, date: str) -> Params:
    """Return a product of the offer with its only term, in the format ``aws_v1``."""
    usage = f"USE1-{_USAGE[component]}:{name}"
    sku = hashlib.sha256(usage.encode()).hexdigest()[:16].upper()
    term, rate = f"{sku}.{_ON_DEMAND}", f"{sku}.{_ON_DEMAND}.{_PER_HOUR}"
    return {
        "product": {
            "productFamily": "ML Instance",
            "attributes": {
                "regionCode": REGION,
                "servicecode": OFFER,
                "instanceName": name,
                "component": component,
                "usagetype": usage,
                "locationType": "AWS Region",
                "location": "US East (N. Virginia)",
                "servicename": "Amazon SageMaker",
                "operation": "RunInstance",
            },
            "sku": sku,
        },
        "serviceCode": OFFER,
        "terms": {
            "OnDemand": {
                term: {
                    "priceDimensions": {
                        rate: {
                            "unit": "Hrs",
                            "beginRange": "0",
                            "endRange": "Inf",
                            "description": f"${usd_per_h:.10f} per {component} {name} hour in US East (N. Virginia)",
                            "appliesTo": [],
                            "rateCode": rate,
                            "pricePerUnit": {"USD": f"{usd_per_h:.10f}"},
                        }
                    },
                    "sku": sku,
                    "effectiveDate": f"{date}T00:00:00Z",
                    "offerTermCode": _ON_DEMAND,
                    "termAttributes": {},
                }
            }
        },
        "version": date.replace("-", "") + "000000",
        "publicationDate": f"{date}T00:00:00Z",
    }


SERVICE = JsonService[Params](
    "pricing",
    "Price List",
    target_prefix="AWSPriceListService.",
    operations={"GetProducts": get_products},
    invalid_code="InvalidParameterException",
    missing={"GetProducts": "products other than SageMaker's instances"},
)
