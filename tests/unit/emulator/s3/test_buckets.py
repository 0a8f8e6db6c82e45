from __future__ import annotations

import pytest


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("ab", "short"), ("a" * 64, "long"), ("Rocks", "capital"), ("ro_cks", "underscore"), ("-rocks", "hyphen"),
        ("rocks-", "hyphen"), ("ro..cks", "dots"), ("192.168.5.4", "address"), ("xn--rocks", "reserved"),
        ("rocks-s3alias", "reserved"), ("rocks--x-s3", "reserved"), ("sthree-rocks", "reserved"),
    ],
)  # fmt: skip
def test_a_bucket_name_that_aws_would_refuse_is_refused(exchange, name, why):
    answer = exchange("PUT", f"/{name}")
    assert (answer.status, b"<Code>InvalidBucketName</Code>" in answer.body) == (400, True), why


@pytest.mark.parametrize("name", ["abc", "a" * 63, "near-earth.objects.2026", "1.2.3"])
def test_a_bucket_name_that_aws_takes_is_taken(exchange, name):
    assert exchange("PUT", f"/{name}").status == 200


def test_us_east_1_is_the_place_of_a_bucket_without_a_location(client):
    s3 = client()
    assert s3.create_bucket(Bucket="rocks")["Location"] == "/rocks"
    assert s3.get_bucket_location(Bucket="rocks")["LocationConstraint"] is None
    assert s3.head_bucket(Bucket="rocks")["BucketRegion"] == "us-east-1"


def test_us_east_1_creates_buckets_elsewhere_but_does_not_name_itself(client, refused):
    s3 = client()
    s3.create_bucket(Bucket="dublin", CreateBucketConfiguration={"LocationConstraint": "EU"})
    assert s3.get_bucket_location(Bucket="dublin")["LocationConstraint"] == "eu-west-1"
    for wrong in ("us-east-1", "atlantis"):
        error = refused(s3.create_bucket, Bucket="rocks", CreateBucketConfiguration={"LocationConstraint": wrong})
        assert error["Code"] == "InvalidLocationConstraint"


@pytest.mark.parametrize(("constraint", "named"), [(None, "unspecified"), ("eu-west-1", "eu-west-1")])
def test_another_region_wants_its_own_name_as_location(client, refused, constraint, named):
    arguments = {"CreateBucketConfiguration": {"LocationConstraint": constraint}} if constraint else {}
    error = refused(client(region="us-west-2").create_bucket, Bucket="rocks", **arguments)
    assert error["Code"] == "IllegalLocationConstraintException"
    assert f"The {named} location constraint" in error["Message"]


def test_a_bucket_is_private_and_its_owners_or_is_not_created(client, refused):
    s3 = client()
    s3.create_bucket(Bucket="rocks", ACL="private", ObjectOwnership="BucketOwnerEnforced")
    assert refused(s3.create_bucket, Bucket="open", ACL="public-read")["Code"] == "InvalidBucketAclWithObjectOwnership"
    assert refused(s3.create_bucket, Bucket="open", ObjectOwnership="ObjectWriter")["Code"] == "NotImplemented"
    assert refused(s3.create_bucket, Bucket="open", ObjectLockEnabledForBucket=True)["Code"] == "NotImplemented"
    assert refused(s3.head_bucket, Bucket="open")["status"] == 404


def test_creating_a_bucket_again_succeeds_in_us_east_1_alone(client, s3, refused):
    s3.create_bucket(Bucket="rocks")
    west = client(region="us-west-2")
    here = {"CreateBucketConfiguration": {"LocationConstraint": "us-west-2"}}
    west.create_bucket(Bucket="west", **here)
    again = refused(west.create_bucket, Bucket="west", **here)
    assert (again["Code"], again["status"], again["BucketName"]) == ("BucketAlreadyOwnedByYou", 409, "west")


def test_a_bucket_of_another_account_exists_and_may_not_be_used(client, store, refused):
    store.create_bucket("theirs", region="us-east-1", owner="111111111111")
    store.put("theirs", "k", [b"secret"])
    s3 = client()
    assert refused(s3.create_bucket, Bucket="theirs")["Code"] == "BucketAlreadyExists"
    assert refused(s3.head_bucket, Bucket="theirs")["status"] == 403
    for call in (s3.get_object, s3.put_object, s3.delete_object):
        assert refused(call, Bucket="theirs", Key="k")["Code"] == "AccessDenied"
    assert refused(s3.list_objects_v2, Bucket="theirs")["Code"] == "AccessDenied"
    assert s3.list_buckets()["Buckets"] == []


def test_a_wrong_region_is_refused_with_the_right_one_and_boto3_follows_it(client, exchange, emulator):
    west = client(region="us-west-2")
    west.create_bucket(Bucket="west", CreateBucketConfiguration={"LocationConstraint": "us-west-2"})
    malformed = exchange("GET", "/west", query={"list-type": "2"})
    assert malformed.status == 400
    assert b"<Code>AuthorizationHeaderMalformed</Code>" in malformed.body
    assert b"the region 'us-east-1' is wrong; expecting 'us-west-2'" in malformed.body
    assert malformed.headers["x-amz-bucket-region"] == "us-west-2"
    assert client().head_bucket(Bucket="west")["BucketRegion"] == "us-west-2"
    client(region="eu-west-1").put_object(Bucket="west", Key="k", Body=b"x")
    assert west.get_object(Bucket="west", Key="k")["Body"].read() == b"x"


def test_a_regional_host_redirects_to_the_buckets_own_region(client, store, emulator):
    from asteroid_ll.emulator.transport.messages import Request

    store.create_bucket("west", region="us-west-2")
    signed = {"authorization": "AWS4-HMAC-SHA256 Credential=A/20260101/eu-west-1/s3/aws4_request"}
    answer = emulator.handle(Request("GET", "west.s3.eu-west-1.amazonaws.com", "/k", headers=signed))
    assert answer.status == 301
    assert b"<Code>PermanentRedirect</Code>" in answer.body
    assert b"<Endpoint>west.s3.us-west-2.amazonaws.com</Endpoint>" in answer.body
    assert emulator.handle(Request("HEAD", "west.s3.eu-west-1.amazonaws.com", "/k", headers=signed)).body == b""


def test_buckets_are_listed_by_name_and_by_page(s3):
    for name in ("comets", "asteroids"):
        s3.create_bucket(Bucket=name)
    assert [bucket["Name"] for bucket in s3.list_buckets()["Buckets"]] == ["asteroids", "comets", "rocks"]
    pages = s3.get_paginator("list_buckets").paginate(PaginationConfig={"PageSize": 2})
    assert [[bucket["Name"] for bucket in page["Buckets"]] for page in pages] == [["asteroids", "comets"], ["rocks"]]


def test_bucket_tags_come_back_and_go_with_the_bucket(s3, refused):
    assert refused(s3.get_bucket_tagging, Bucket="rocks")["Code"] == "NoSuchTagSet"
    tags = [{"Key": "owner", "Value": "Øst @ asteroid-ll"}]
    s3.put_bucket_tagging(Bucket="rocks", Tagging={"TagSet": tags})
    assert s3.get_bucket_tagging(Bucket="rocks")["TagSet"] == tags
    s3.delete_bucket(Bucket="rocks")
    s3.create_bucket(Bucket="rocks")
    assert refused(s3.get_bucket_tagging, Bucket="rocks")["Code"] == "NoSuchTagSet"
    s3.put_bucket_tagging(Bucket="rocks", Tagging={"TagSet": tags})
    s3.put_bucket_tagging(Bucket="rocks", Tagging={"TagSet": []})
    assert refused(s3.get_bucket_tagging, Bucket="rocks")["Code"] == "NoSuchTagSet"
    s3.delete_bucket_tagging(Bucket="rocks")
    assert refused(s3.get_bucket_tagging, Bucket="rocks")["Code"] == "NoSuchTagSet"


@pytest.mark.parametrize(
    ("tags", "error"),
    [
        ([("aws:a", "b")], ("InvalidTag", "System tags cannot be added/updated by requester")),
        ([("a", "b")] * 2, ("InvalidTag", "Cannot provide multiple Tags with the same key")),
        ([("a*", "b")], ("InvalidTag", "The TagKey you have provided is invalid")),
        ([(str(n), "") for n in range(51)], ("BadRequest", "Bucket tag count cannot be greater than 50")),
    ],
    ids=["reserved", "twice", "character", "too-many"],
)
def test_tags_of_a_bucket_beyond_the_rules_are_refused(s3, refused, tags, error):
    tag_set = [{"Key": key, "Value": text} for key, text in tags]
    refusal = refused(s3.put_bucket_tagging, Bucket="rocks", Tagging={"TagSet": tag_set})
    assert (refusal["Code"], refusal["Message"]) == error


@pytest.mark.parametrize("style", ["path", "virtual"])
def test_both_address_styles_reach_the_same_object(client, s3, style):
    styled = client(s3={"addressing_style": style})
    styled.put_object(Bucket="rocks", Key="/a//b c/ü", Body=style.encode())
    assert s3.get_object(Bucket="rocks", Key="/a//b c/ü")["Body"].read() == style.encode()


def test_a_call_without_a_signature_is_refused(client, s3, refused):
    from botocore import UNSIGNED

    assert refused(client(signature_version=UNSIGNED).list_objects_v2, Bucket="rocks")["Code"] == "AccessDenied"


@pytest.mark.parametrize("version", ["s3", "s3v4"])
def test_a_presigned_address_works_until_it_expires(client, emulator, state, store, version):
    from asteroid_ll.emulator.transport.in_process import to_request

    store.create_bucket("west", region="us-west-2")
    store.put("west", "k", [b"x"])
    signer = client(region="us-west-2", signature_version=version)
    url = signer.generate_presigned_url("get_object", Params={"Bucket": "west", "Key": "k"}, ExpiresIn=60)
    request = to_request("GET", url, headers={}, body=b"")
    assert emulator.handle(request).status == 200
    then = state.now()
    state.now = lambda: then + 3600
    assert b"<Message>Request has expired</Message>" in emulator.handle(request).body


@pytest.mark.parametrize(
    ("duration", "status"), [("-1", 400), ("0", 403), ("604800", 404), ("604801", 400), ("soon", 400)]
)
def test_a_presigned_address_lasts_at_most_a_week(s3, emulator, state, duration, status):
    from asteroid_ll.emulator.transport.messages import Request

    state.now = lambda: 1_767_225_601.0  # a second after the signature
    query = {"X-Amz-Credential": "a/20260101/us-east-1/s3/aws4_request", "X-Amz-Date": "20260101T000000Z"}
    query["X-Amz-Expires"] = duration
    assert emulator.handle(Request("GET", "rocks.s3.amazonaws.com", "/k", query)).status == status


@pytest.mark.parametrize("name", ["AWSAccessKeyId", "X-Amz-Credential"])
def test_a_request_has_one_signature_so_a_header_does_not_revive_an_expired_address(exchange, s3, name):
    query = {name: "a/20260101/us-east-1/s3/aws4_request", "Expires": "1"}
    assert b"Only one auth mechanism allowed" in exchange("GET", "/rocks/k", query=query).body


@pytest.mark.parametrize("spelled", [str.lower, str.title], ids=["JavaScript", "Go"])
def test_the_headers_in_a_presigned_address_count_except_a_checksum_of_no_body(s3, emulator, spelled):
    from asteroid_ll.emulator.transport.messages import Request

    signature = {
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD",
        "X-Amz-Credential": "a/29990101/us-east-1/s3/aws4_request",
        "X-Amz-Date": "29990101T000000Z",
        "X-Amz-Expires": "60",
        "X-Amz-Signature": "0",
        "X-Amz-SignedHeaders": "host",
        "x-id": "PutObject",
    }
    moved = {"x-amz-checksum-crc32": "AAAAAA==", "x-amz-sdk-checksum-algorithm": "CRC32", "x-amz-meta-unit": "au"}
    query = signature | {spelled(name): text for name, text in moved.items()}
    answer = emulator.handle(Request("PUT", "rocks.s3.amazonaws.com", "/k", query, body=b"Eros"))
    assert answer.status == 200, answer.body
    stored = s3.get_object(Bucket="rocks", Key="k")
    assert (stored["Body"].read(), stored["Metadata"]) == (b"Eros", {"unit": "au"})
    refusal = emulator.handle(Request("PUT", "rocks.s3.amazonaws.com", "/k", query | {"x-amz-acl": "public-read"}))
    assert b"AccessControlListNotSupported" in refusal.body


REGIONAL = "rocks-000000000000-us-east-1-an"


def test_a_name_with_the_accounts_suffix_is_created_in_its_regional_namespace_only(s3, refused):
    assert refused(s3.create_bucket, Bucket=REGIONAL)["Code"] == "InvalidBucketName"
    s3.create_bucket(Bucket=REGIONAL, BucketNamespace="account-regional")
    s3.head_bucket(Bucket=REGIONAL)


@pytest.mark.parametrize(
    "name",
    ["rocks-2", "rocks-111111111111-us-east-1-an", "rocks-000000000000-eu-west-1-an", "rocks-000000000000-us-east-1"],
)
def test_the_regional_namespace_has_only_names_of_this_account_and_region(s3, refused, name):
    assert refused(s3.create_bucket, Bucket=name, BucketNamespace="account-regional")["Code"] == "InvalidBucketName"


def test_the_expected_owner_must_be_the_owner(s3, refused):
    s3.put_object(Bucket="rocks", Key="k", ExpectedBucketOwner="000000000000")
    for call in (s3.get_object, s3.put_object, s3.head_object):
        error = refused(call, Bucket="rocks", Key="k", ExpectedBucketOwner="111111111111")
        assert error["status"] == 403
    assert refused(s3.delete_bucket, Bucket="rocks", ExpectedBucketOwner="111111111111")["Code"] == "AccessDenied"


def test_only_an_empty_bucket_is_deleted(s3, refused):
    s3.put_object(Bucket="rocks", Key="k")
    assert refused(s3.delete_bucket, Bucket="rocks")["Code"] == "BucketNotEmpty"
    s3.delete_object(Bucket="rocks", Key="k")
    s3.delete_bucket(Bucket="rocks")
    assert refused(s3.head_bucket, Bucket="rocks")["status"] == 404
    assert refused(s3.delete_bucket, Bucket="rocks")["Code"] == "NoSuchBucket"


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ({"AWSAccessKeyId": "a", "Signature": "s"}, 403),
        ({"X-Amz-Credential": "a/20260101/us-east-1/s3/aws4_request", "X-Amz-Expires": "60"}, 400),
        ({"X-Amz-Credential": "a/20260101/us-east-1/s3/aws4_request", "X-Amz-Date": "20260101T000000Z"}, 400),
    ],
    ids=["no-expiry", "no-date", "no-duration"],
)
def test_a_presigned_address_without_its_times_is_refused(s3, emulator, query, status):
    from asteroid_ll.emulator.transport.messages import Request

    assert emulator.handle(Request("GET", "rocks.s3.amazonaws.com", "/k", query)).status == status


def test_the_header_of_awss_c_library_is_accepted(s3, emulator):
    s3.meta.events.register("before-sign.s3", lambda request, **_: request.headers.add_header("x-amz-api-version", "1"))
    s3.put_object(Bucket="rocks", Key="k", Body=b"Eros")


def test_other_namespaces_are_refused(s3, refused):
    assert refused(s3.create_bucket, Bucket="rocks-2", BucketNamespace="other")["Code"] == "InvalidArgument"
    s3.create_bucket(Bucket="rocks-2", BucketNamespace="global")
