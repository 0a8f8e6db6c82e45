"""File formats. Here: the content types of inference requests and responses, and the limit of a request's size.

Source: the SageMaker developer guide, "Common data formats for inference", and the service model of InvokeEndpoint.
"""

from __future__ import annotations

CSV = "text/csv"
JSON = "application/json"
JSON_LINES = "application/jsonlines"
RECORDIO = "application/x-recordio-protobuf"
OCTET_STREAM = "application/octet-stream"
"""The type that an emulator may send to a container if the caller gives none."""

REQUEST_TYPES = (CSV, JSON, JSON_LINES, RECORDIO)
RESPONSE_TYPES = (JSON, JSON_LINES, RECORDIO)
MAX_INVOKE_BYTES = 6_291_456
"""The longest body that InvokeEndpoint accepts; botocore does not check it."""
MAX_SERVERLESS_BYTES = 4_194_304
"""The same for a serverless endpoint: 4 MB (developer guide, "Serverless Inference", feature exclusions)."""


def media_type(content_type: str) -> str:
    """Return a content type without its parameters, in lower case: ``text/csv`` for ``Text/CSV; label_size=0``."""
    return content_type.partition(";")[0].strip().lower()
