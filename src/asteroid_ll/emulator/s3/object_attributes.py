"""GetObjectAttributes: what HeadObject and ListParts say about an object, in one document."""

from __future__ import annotations

from asteroid_ll.emulator.s3.call import S3Call
from asteroid_ll.emulator.s3.errors import invalid_argument
from asteroid_ll.emulator.s3.listing import MAX_KEYS
from asteroid_ll.emulator.s3.operations import operation
from asteroid_ll.emulator.s3.store import StoredObject
from asteroid_ll.emulator.s3.xml import checksum_elements, document, element, elements, group, http_time
from asteroid_ll.emulator.transport.messages import Response

_HEADER = "x-amz-object-attributes"
_ATTRIBUTES = frozenset({"ETag", "Checksum", "ObjectParts", "StorageClass", "ObjectSize"})


@operation(
    "GetObjectAttributes",
    "GET /Bucket/Key?attributes",
    query="versionId",
    headers=f"{_HEADER} x-amz-max-parts x-amz-part-number-marker",
)
def get_object_attributes(call: S3Call) -> Response:
    """GetObjectAttributes: the requested ones. The ETag has no quotes here, and a checksum of parts not their number.

    Raises:
        ApiError: ``InvalidArgument``, ``NoSuchKey``.
    """
    requested = {name.strip() for name in call.header(_HEADER).split(",")}
    if unknown := sorted(requested - _ATTRIBUTES):
        raise invalid_argument("Invalid attribute name specified.", name=_HEADER, value=unknown[0])
    stored = call.object()
    attributes = stored.attributes
    checksums = {name: text.partition("-")[0] for name, text in attributes.checksums.items()}
    checksum = checksum_elements(checksums) + element("ChecksumType", attributes.checksum_type)
    parts = _parts(call, stored) if attributes.part_sizes_bytes and "ObjectParts" in requested else ""
    response = document(
        "GetObjectAttributesResponse",
        element("ETag", stored.etag) if "ETag" in requested else "",
        group("Checksum", checksum) if "Checksum" in requested else "",
        parts,
        element("StorageClass", attributes.storage_class) if "StorageClass" in requested else "",
        element("ObjectSize", stored.size_bytes) if "ObjectSize" in requested else "",
    )
    return Response(headers={**response.headers, "Last-Modified": http_time(stored.modified_s)}, body=response.body)


def _parts(call: S3Call, stored: StoredObject) -> str:
    """Return a page of a multipart object's parts. AWS lists them only if they were uploaded with checksums."""
    sizes, checksums = stored.attributes.part_sizes_bytes, stored.attributes.part_checksums
    if not checksums:
        return group("ObjectParts", elements(PartsCount=len(sizes)))
    limit = call.header_count("x-amz-max-parts", default=MAX_KEYS, maximum=MAX_KEYS)
    after = call.header_count("x-amz-part-number-marker", default=0, maximum=len(sizes))
    page = range(after, min(after + limit, len(sizes)))
    entries = [group("Part", checksum_elements(checksums[n]), elements(PartNumber=n + 1, Size=sizes[n])) for n in page]
    fields = elements(
        IsTruncated=page.stop < len(sizes),
        MaxParts=limit,
        NextPartNumberMarker=page.stop,
        PartNumberMarker=after,
        PartsCount=len(sizes),
    )
    return group("ObjectParts", fields, *entries)
