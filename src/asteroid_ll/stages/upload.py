"""upload: put the encoded parts into S3, under a prefix made from their content."""

from __future__ import annotations

from asteroid_ll.aws.storage import ensure_bucket, is_stored, upload_file
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.stages.stage import Context, Outcome

CHANNELS = ("train", "validation")


def run(context: Context) -> Outcome:
    """Upload the files that S3 does not have yet, and write the URI of each channel."""
    aws = context.connect()
    bucket = context.config.bucket_name(aws.account_id)
    bucket_status = ensure_bucket(aws, bucket)
    prefix = f"{context.config.prefix}/{context.fingerprint[:16]}"
    objects: list[dict[str, object]] = []
    statuses = set()
    kms_key = context.config.kms.s3
    for channel in CHANNELS:
        for path in sorted(context.path("encode", channel).glob("*.pbr")):
            key = f"{prefix}/{channel}/{path.name}"
            digest = sha256_file(path)
            statuses.add(upload_file(aws, path, bucket=bucket, key=key, sha256=digest, kms_key=kms_key))
            objects.append({"key": key, "sha256": digest, "size_bytes": path.stat().st_size})
    channels = {channel: f"s3://{bucket}/{prefix}/{channel}/" for channel in CHANNELS}
    write_json(
        context.path(paths.MANIFEST),
        {
            "bucket": bucket,
            "channels": channels,
            "output": f"s3://{bucket}/{context.config.prefix}/output/",
            "objects": objects,
        },
    )
    size_mb = sum(int(str(item["size_bytes"])) for item in objects) / 1e6
    note = f"{len(objects)} object{'s' if len(objects) != 1 else ''}, {size_mb:.1f} MB"
    return Outcome(
        outputs=(paths.MANIFEST,),
        status="adopted" if statuses == {"present"} else "run",
        note=note + (", bucket created" if bucket_status == "created" else ""),
    )


def verify(context: Context) -> str | None:
    """Return a sentence about the first object that S3 no longer has as it was uploaded, or None."""
    manifest = read_json(context.path(paths.MANIFEST))
    bucket = manifest["bucket"]
    for item in manifest["objects"]:
        key, sizes = item["key"], {"size_bytes": item["size_bytes"], "sha256": item["sha256"]}
        path = context.path("encode", *key.split("/")[-2:])
        if not is_stored(context.connect(), path, bucket=bucket, key=key, **sizes):
            return f"s3://{bucket}/{key} is missing or changed"
    return None
