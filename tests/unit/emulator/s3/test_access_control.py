from __future__ import annotations

import pytest

HERE = {"Bucket": "rocks", "Key": "eros"}


@pytest.fixture(autouse=True)
def eros(s3):
    s3.put_object(**HERE, Body=b"433")


def test_the_owner_has_full_control_and_nobody_else_has_any(s3):
    owner = {"ID": s3.list_objects(Bucket="rocks")["Contents"][0]["Owner"]["ID"]}
    for acl in (s3.get_bucket_acl(Bucket="rocks"), s3.get_object_acl(**HERE, VersionId="null")):
        assert acl["Owner"] == owner
        assert acl["Grants"] == [{"Grantee": owner | {"Type": "CanonicalUser"}, "Permission": "FULL_CONTROL"}]


def test_a_change_of_an_access_control_list_is_refused_as_by_aws(s3, refused):
    for method, arguments in ((s3.put_bucket_acl, {"Bucket": "rocks"}), (s3.put_object_acl, HERE)):
        error = refused(method, **arguments, ACL="public-read")
        assert (error["Code"], error["status"]) == ("AccessControlListNotSupported", 400)
        assert error["Message"] == "The bucket does not allow ACLs"


@pytest.mark.parametrize("lock", ["retention", "legal_hold"])
def test_an_object_has_no_lock_and_gets_none(s3, refused, lock):
    for method in (f"get_object_{lock}", f"put_object_{lock}"):
        error = refused(getattr(s3, method), **HERE)
        assert (error["Code"], error["status"]) == ("InvalidRequest", 400)
        assert error["Message"] == "Bucket is missing Object Lock Configuration"


def test_an_object_that_does_not_exist_has_no_list_and_no_lock(s3, refused):
    for method in (s3.get_object_acl, s3.put_object_acl, s3.get_object_retention):
        assert refused(method, Bucket="rocks", Key="no")["Code"] == "NoSuchKey"
