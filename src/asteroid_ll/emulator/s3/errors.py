"""S3's error codes, each with its HTTP status and S3's own words."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from asteroid_ll.emulator.transport.messages import ApiError

_MESSAGES: Mapping[str, str] = MappingProxyType(
    {
        "AccessControlListNotSupported": "The bucket does not allow ACLs",
        "AccessDenied": "Access Denied",
        "BucketAlreadyExists": "The requested bucket name is not available. The bucket namespace is shared by all "
        "users of the system. Please select a different name and try again.",
        "BucketAlreadyOwnedByYou": "Your previous request to create the named bucket succeeded and you already own it.",
        "BucketNotEmpty": "The bucket you tried to delete is not empty",
        "EntityTooLarge": "Your proposed upload exceeds the maximum allowed size",
        "EntityTooSmall": "Your proposed upload is smaller than the minimum allowed size",
        "IncompleteBody": "You did not provide the number of bytes specified by the Content-Length HTTP header.",
        "InvalidBucketAclWithObjectOwnership": "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced "
        "setting",
        "InvalidBucketName": "The specified bucket is not valid.",
        "InvalidDigest": "The Content-MD5 you specified was invalid.",
        "InvalidLocationConstraint": "The specified location-constraint is not valid",
        "InvalidPartNumber": "The requested partnumber is not satisfiable",
        "InvalidPartOrder": "The list of parts was not in ascending order. Parts must be ordered by part number.",
        "InvalidRange": "The requested range is not satisfiable",
        "InvalidStorageClass": "The storage class you specified is not valid",
        "InvalidURI": "Couldn't parse the specified URI.",
        "KeyTooLongError": "Your key is too long",
        "MalformedTrailerError": "The request contained trailing data that was not well-formed.",
        "MalformedXML": "The XML you provided was not well-formed or did not validate against our published schema",
        "MetadataTooLarge": "Your metadata headers exceed the maximum allowed metadata size",
        "MethodNotAllowed": "The specified method is not allowed against this resource.",
        "NoSuchBucket": "The specified bucket does not exist",
        "NoSuchKey": "The specified key does not exist.",
        "NoSuchTagSet": "The TagSet does not exist",
        "NoSuchUpload": "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
        "been aborted or completed.",
        "NoSuchVersion": "The specified version does not exist.",
        "PermanentRedirect": "The bucket you are attempting to access must be addressed using the specified "
        "endpoint. Please send all future requests to this endpoint.",
        "PreconditionFailed": "At least one of the pre-conditions you specified did not hold",
        "XAmzContentSHA256Mismatch": "The provided 'x-amz-content-sha256' header does not match what was computed.",
    }
)
_STATUS: Mapping[str, int] = MappingProxyType(
    {
        "PermanentRedirect": 301,
        "AccessDenied": 403,
        "NoSuchBucket": 404,
        "NoSuchKey": 404,
        "NoSuchTagSet": 404,
        "NoSuchUpload": 404,
        "NoSuchVersion": 404,
        "MethodNotAllowed": 405,
        "BucketAlreadyExists": 409,
        "BucketAlreadyOwnedByYou": 409,
        "BucketNotEmpty": 409,
        "PreconditionFailed": 412,
        "InvalidPartNumber": 416,
        "InvalidRange": 416,
    }
)
"""HTTP status by code; 400 for every other code."""


def s3_error(code: str, message: str = "", **fields: object) -> ApiError:
    """Return the error of a code; ``message`` replaces its usual words."""
    return ApiError(code, message or _MESSAGES[code], status=_STATUS.get(code, 400), **fields)


def invalid_argument(message: str, *, name: str, value: str) -> ApiError:
    """Return the error for a header or query parameter with a value that S3 does not accept."""
    return ApiError("InvalidArgument", message, ArgumentName=name, ArgumentValue=value)


def not_implemented(message: str) -> ApiError:
    """Return the error for a request that is valid in S3 and not implemented here."""
    return ApiError("NotImplemented", message, status=501)


def unsupported_header(name: str) -> ApiError:
    """Return the error for a header that is not implemented here."""
    message = "A header you provided implies functionality that is not implemented"
    return ApiError("NotImplemented", message, status=501, Header=name)
