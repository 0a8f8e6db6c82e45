from __future__ import annotations

KEY = "arn:aws:kms:us-east-1:000000000000:key/1234abcd-12ab-34cd-56ef-1234567890ab"
DEFAULT = {
    "ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY},
    "BucketKeyEnabled": True,
}
AS_DEFAULT = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": KEY, "BucketKeyEnabled": True}
HERE = {"Bucket": "rocks", "Key": "k"}


def set_default(s3, rule):
    s3.put_bucket_encryption(Bucket="rocks", ServerSideEncryptionConfiguration={"Rules": [rule]})


def encryption_of(answer):
    return {name: answer[name] for name in AS_DEFAULT if name in answer}


def test_a_new_bucket_encrypts_with_keys_of_s3(s3):
    (rule,) = s3.get_bucket_encryption(Bucket="rocks")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule == {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}, "BucketKeyEnabled": False}
    assert encryption_of(s3.put_object(**HERE)) == {"ServerSideEncryption": "AES256"}


def test_the_setting_comes_back_as_it_was_put_until_it_is_deleted(s3):
    set_default(s3, DEFAULT)
    assert s3.get_bucket_encryption(Bucket="rocks")["ServerSideEncryptionConfiguration"]["Rules"] == [DEFAULT]
    s3.delete_bucket_encryption(Bucket="rocks")
    (rule,) = s3.get_bucket_encryption(Bucket="rocks")["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert encryption_of(s3.put_object(**HERE)) == {"ServerSideEncryption": "AES256"}


def test_new_objects_get_the_default_and_old_ones_keep_theirs(s3, store):
    s3.put_object(Bucket="rocks", Key="old")
    set_default(s3, DEFAULT)
    assert encryption_of(s3.put_object(**HERE)) == AS_DEFAULT
    assert encryption_of(s3.head_object(**HERE)) == AS_DEFAULT
    assert encryption_of(s3.head_object(Bucket="rocks", Key="old")) == {"ServerSideEncryption": "AES256"}
    store.put("rocks", "model.tar.gz", [b"of a job"])
    assert encryption_of(s3.get_object(Bucket="rocks", Key="model.tar.gz")) == AS_DEFAULT
    own = s3.put_object(**HERE, ServerSideEncryption="AES256")
    assert encryption_of(own) == encryption_of(s3.head_object(**HERE)) == {"ServerSideEncryption": "AES256"}


def test_a_copy_is_encrypted_by_its_own_bucket(s3):
    s3.put_object(**HERE)
    set_default(s3, DEFAULT)
    copied = s3.copy_object(Bucket="rocks", Key="copy", CopySource=HERE)
    assert encryption_of(copied) == encryption_of(s3.head_object(Bucket="rocks", Key="copy")) == AS_DEFAULT
    own = s3.copy_object(Bucket="rocks", Key="copy", CopySource=HERE, ServerSideEncryption="AES256")
    assert encryption_of(own) == {"ServerSideEncryption": "AES256"}


def test_every_answer_to_a_multipart_upload_names_its_encryption(s3):
    s3.put_object(Bucket="rocks", Key="source", Body=b"433")
    set_default(s3, DEFAULT)
    created = s3.create_multipart_upload(**HERE)
    s3.delete_bucket_encryption(Bucket="rocks")
    upload = HERE | {"UploadId": created["UploadId"]}
    part = s3.upload_part(**upload, PartNumber=1, Body=b"Eros")
    copied = s3.upload_part_copy(**upload, PartNumber=1, CopySource="rocks/source")
    parts = {"Parts": [{"PartNumber": 1, "ETag": copied["CopyPartResult"]["ETag"]}]}
    done = s3.complete_multipart_upload(**upload, MultipartUpload=parts)
    for answer in (created, part, copied, done, s3.head_object(**HERE)):
        assert encryption_of(answer) == AS_DEFAULT


def by_default(**members):
    return {"ApplyServerSideEncryptionByDefault": members}


def test_a_setting_that_aws_refuses_is_refused(s3, refused):
    for rules, code in (
        ([], "MalformedXML"),
        ([DEFAULT, DEFAULT], "MalformedXML"),
        ([by_default(SSEAlgorithm="rot13")], "MalformedXML"),
        ([by_default(SSEAlgorithm="AES256", KMSMasterKeyID=KEY)], "InvalidArgument"),
    ):
        configuration = {"ServerSideEncryptionConfiguration": {"Rules": rules}}
        assert refused(s3.put_bucket_encryption, Bucket="rocks", **configuration)["Code"] == code
