"""S3's signatures: AWS's published examples, what botocore signs with awkward names, and what nobody signed."""

import calendar
import hashlib
import time
from urllib.parse import quote

import pytest
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from botocore.exceptions import ClientError
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.emulator.iam.store import Credentials
from asteroid_ll.emulator.s3.service import S3
from asteroid_ll.emulator.signatures import check_s3
from asteroid_ll.emulator.transport.in_process import to_request
from asteroid_ll.emulator.transport.messages import ApiError, Request

KEY, SECRET = "AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
DATE, HOST = "20130524T000000Z", "examplebucket.s3.amazonaws.com"
NOW_S = calendar.timegm(time.strptime(DATE, "%Y%m%dT%H%M%SZ"))
EMPTY = hashlib.sha256().hexdigest()


def keys(access_key):
    return {KEY: Credentials(SECRET), "AKIDEXAMPLE": Credentials("secret")}.get(access_key)


def example(target, digest, *, method="GET", host=HOST, body=b"", **headers):
    """A request of the S3 API reference, which signs all of its headers."""
    headers = {name.replace("_", "-"): text for name, text in headers.items()}
    headers = {"host": host, "x-amz-content-sha256": EMPTY, "x-amz-date": DATE, **headers}
    scope = f"Credential={KEY}/20130524/us-east-1/s3/aws4_request"
    authorization = f"AWS4-HMAC-SHA256 {scope},SignedHeaders={';'.join(sorted(headers))},Signature={digest}"
    headers = {name: text for name, text in headers.items() if text} | {"authorization": authorization}
    return to_request(method, f"https://{host}{target}", headers=headers, body=body)


def verified(request, *, now_s=NOW_S):
    """The code of the refusal, empty if there is none."""
    try:
        check_s3(request, keys, bucket="", now_s=now_s)
    except ApiError as error:
        return error.code
    return ""


CHUNKS = {
    "method": "PUT",
    "host": "s3.amazonaws.com",
    "content_encoding": "aws-chunked",
    "content_length": "66824",
    "x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
    "x_amz_decoded_content_length": "66560",
    "x_amz_storage_class": "REDUCED_REDUNDANCY",
}
TRAILER = {
    "method": "PUT",
    "host": "s3.amazonaws.com",
    "content_encoding": "aws-chunked",
    "x_amz_content_sha256": "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER",
    "x_amz_decoded_content_length": "66560",
    "x_amz_storage_class": "REDUCED_REDUNDANCY",
    "x_amz_trailer": "x-amz-checksum-crc32c",
}


def framed(*digests, trailer=b""):
    """The published body, 66,560 letters a in chunks of 64 KiB, 1 KiB and nothing."""
    parts = zip((b"a" * 65536, b"a" * 1024, b""), digests, strict=True)
    ends = [b"\r\n", b"\r\n", trailer or b"\r\n"]
    heads = [(b"%x;chunk-signature=" % len(data) + digest.encode() + b"\r\n" + data) for data, digest in parts]
    return b"".join(head + end for head, end in zip(heads, ends, strict=True))


CHUNK_DIGESTS = (
    "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
    "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
    "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
)
TRAILER_DIGESTS = (
    "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2",
    "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7",
    "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992",
)
LAST_LINES = b"x-amz-checksum-crc32c:sOO8/Q==\r\nx-amz-trailer-signature:%s\r\n\r\n"
TRAILER_DIGEST = b"d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435"
CHUNKED_PATH = "/examplebucket/chunkObject.txt"
CHUNKED_SEED = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
TRAILER_SEED = "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e"
PUT_BODY = b"Welcome to Amazon S3."
PUBLISHED = {
    "GetObject": lambda: example(
        "/test.txt", "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41", range="bytes=0-9"
    ),
    "PutObject": lambda: example(
        "/test%24file.text",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        method="PUT",
        body=PUT_BODY,
        date="Fri, 24 May 2013 00:00:00 GMT",
        x_amz_content_sha256="44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072",
        x_amz_storage_class="REDUCED_REDUNDANCY",
    ),
    "GetBucketLifecycle": lambda: example(
        "/?lifecycle", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
    ),
    "ListObjects": lambda: example(
        "/?max-keys=2&prefix=J", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
    ),
    "presigned": lambda: to_request(
        "GET",
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        f"&X-Amz-Credential={KEY}%2F20130524%2Fus-east-1%2Fs3%2Faws4_request&X-Amz-Date={DATE}&X-Amz-Expires=86400"
        "&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404",
        headers={"host": HOST},
        body=b"",
    ),
    "chunks": lambda: example(CHUNKED_PATH, CHUNKED_SEED, body=framed(*CHUNK_DIGESTS), **CHUNKS),
    "trailer": lambda: example(
        CHUNKED_PATH, TRAILER_SEED, body=framed(*TRAILER_DIGESTS, trailer=LAST_LINES % TRAILER_DIGEST), **TRAILER
    ),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_published_examples_are_right(name):
    assert verified(PUBLISHED[name]()) == ""


@pytest.mark.parametrize("number", range(3))
def test_a_chunk_with_another_signature_is_refused(number):
    digests = list(CHUNK_DIGESTS)
    digests[number] = EMPTY
    assert verified(example(CHUNKED_PATH, CHUNKED_SEED, body=framed(*digests), **CHUNKS)) == "SignatureDoesNotMatch"


def test_a_chunk_whose_bytes_or_trailer_were_changed_is_refused():
    body = framed(*CHUNK_DIGESTS).replace(b"aaa\r\n", b"aab\r\n", 1)
    assert verified(example(CHUNKED_PATH, CHUNKED_SEED, body=body, **CHUNKS)) == "SignatureDoesNotMatch"
    for line in (LAST_LINES % EMPTY.encode(), (LAST_LINES % TRAILER_DIGEST).replace(b"sOO8", b"sOO9")):
        request = example(CHUNKED_PATH, TRAILER_SEED, body=framed(*TRAILER_DIGESTS, trailer=line), **TRAILER)
        assert verified(request) == "SignatureDoesNotMatch"
    unsigned = b"3\r\nabc\r\n0\r\n\r\n"
    assert verified(example(CHUNKED_PATH, CHUNKED_SEED, body=unsigned, **CHUNKS)) == "IncompleteBody"


def test_a_body_whose_hash_is_another_is_refused():
    request = PUBLISHED["PutObject"]()
    forged = Request(**{**vars(request), "body": b"Farewell"})
    assert verified(forged) == "XAmzContentSHA256Mismatch"


def test_a_signature_in_a_header_needs_a_hash_of_the_body():
    request = PUBLISHED["GetObject"]()
    headers = {name: text for name, text in request.headers.items() if name != "x-amz-content-sha256"}
    assert verified(Request(**{**vars(request), "headers": headers})) == "InvalidRequest"


def test_a_clock_that_is_wrong_by_more_than_fifteen_minutes_is_refused():
    request = PUBLISHED["GetObject"]()
    codes = [verified(request, now_s=NOW_S + seconds) for seconds in (-901, -899, 899, 901)]
    assert codes == ["RequestTimeTooSkewed", "", "", "RequestTimeTooSkewed"]


@pytest.mark.parametrize("name", ["x-amz-meta-unit", "x-amz-copy-source", "x-amz-tagging"])
def test_a_header_that_was_added_after_the_signature_is_refused(name):
    for request in (PUBLISHED["GetObject"](), PUBLISHED["presigned"]()):
        with pytest.raises(ApiError, match="headers present in the request which were not signed") as caught:
            check_s3(
                Request(**{**vars(request), "headers": {**request.headers, name: "x"}}), keys, bucket="", now_s=NOW_S
            )
        assert caught.value.fields == {"HeadersNotSigned": name}


@pytest.fixture
def strict(client, emulator, store):
    """An S3 client whose emulator knows its secret."""

    def verify(request, bucket):
        check_s3(request, keys, bucket=bucket, now_s=time.time())

    s3 = S3(store, verify)
    emulator.handle = lambda request: s3.handle(request, region="us-east-1")
    made = client(signature_version="s3v4")
    made.create_bucket(Bucket="rocks")
    return made


AWKWARD = ["a b+c", "//x//", "../y/./z", "ü/日本", "100%25?&=#;", "~-._!*'()", "\t\n", "a%2Fb"]


@pytest.mark.parametrize("style", ["path", "virtual"])
@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_awkward_keys_are_signed_as_botocore_signs_them(client, strict, emulator, style, version):
    styled = client(signature_version="s3v4", s3={"addressing_style": style})
    signer = client(signature_version=version, s3={"addressing_style": style})
    for key in AWKWARD:
        styled.put_object(Bucket="rocks", Key=key, Body=key.encode(), Metadata={"unit": "a  b"}, ContentType="text/x")
        assert styled.get_object(Bucket="rocks", Key=key)["Body"].read() == key.encode()
        assert styled.list_objects_v2(Bucket="rocks", Prefix=key, StartAfter="", Delimiter="+ &")["KeyCount"] == 1
        url = signer.generate_presigned_url(
            "get_object", Params={"Bucket": "rocks", "Key": key, "ResponseContentType": "a/b; c=é +"}
        )
        host = url.split("/")[2]
        assert emulator.handle(to_request("GET", url, headers={"host": host}, body=b"")).status == 200
        tampered = emulator.handle(to_request("GET", url.replace("c%3D", "c%3Dx"), headers={"host": host}, body=b""))
        assert (tampered.status, b"<Code>SignatureDoesNotMatch</Code>" in tampered.body) == (403, True)
        other = emulator.handle(to_request("DELETE", url, headers={"host": host}, body=b""))
        assert other.status in (403, 501)


def test_a_header_of_version_2_is_refused_in_awss_words(strict, client):
    with pytest.raises(ClientError, match="mechanism you have provided is not supported"):
        client(signature_version="s3").list_buckets()


def test_a_presigned_upload_takes_the_headers_that_were_signed(strict, client, emulator):
    for version in ("s3", "s3v4"):
        signer = client(signature_version=version)
        params = {"Bucket": "rocks", "Key": version, "ContentType": "text/csv", "Metadata": {"unit": "au"}}
        url = signer.generate_presigned_url("put_object", Params=params)
        sent = {"host": url.split("/")[2], "content-type": "text/csv"}
        if version == "s3v4":
            sent["x-amz-meta-unit"] = "au"
        for name, text, status in (("content-type", "text/html", 403), ("content-type", "text/csv", 200)):
            request = to_request("PUT", url, headers=sent | {name: text}, body=b"1,2")
            assert emulator.handle(request).status == status
        head = strict.head_object(Bucket="rocks", Key=version)
        assert (head["ContentType"], head["Metadata"]) == ("text/csv", {"unit": "au"})


ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)


@settings(max_examples=40, deadline=None)
@given(
    path=st.lists(ANY_TEXT, min_size=1, max_size=3),
    query=st.lists(st.tuples(ANY_TEXT.filter(lambda name: not name.startswith("X-Amz-")), ANY_TEXT), max_size=4),
    spaces=st.text(" ab", max_size=6),
    body=st.binary(max_size=20),
    token=st.none() | st.just("to/ken+="),
)
def test_botocore_and_the_emulator_agree_on_any_request(path, query, spaces, body, token):
    url = f"http://127.0.0.1:4566/rocks/{quote('/'.join(path), safe='/~')}"
    if query:
        url += "?" + "&".join(f"{quote(name, safe='-_.~')}={quote(text, safe='-_.~')}" for name, text in query)
    request = AWSRequest("PUT", url, headers={"X-Amz-Meta-A": spaces}, data=body)
    signer = S3SigV4Auth(ReadOnlyCredentials("AKIDEXAMPLE", "secret", token), "s3", "us-east-1")
    signer.add_auth(request)
    headers = {name.lower(): text for name, text in request.headers.items()} | {"host": "127.0.0.1:4566"}
    now_s = calendar.timegm(time.strptime(headers["x-amz-date"], "%Y%m%dT%H%M%SZ"))
    known = {"AKIDEXAMPLE": Credentials("secret", token or "")}.get
    signed = to_request("PUT", url, headers=headers, body=body)
    check_s3(signed, known, bucket="", now_s=now_s)
    with pytest.raises(ApiError):
        check_s3(Request(**{**vars(signed), "method": "GET"}), known, bucket="", now_s=now_s)
