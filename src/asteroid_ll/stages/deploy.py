"""deploy: model, endpoint configuration and endpoint, each created or adopted under names of this content and run."""

from __future__ import annotations

import time

from asteroid_ll.aws import endpoints
from asteroid_ll.aws.network import Network
from asteroid_ll.aws.storage import ensure_bucket, is_stored, parse_uri, upload_file
from asteroid_ll.aws.tags import tags
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.run import paths
from asteroid_ll.run.atomic import sha256_file
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Put the trained model behind an endpoint and wait until it is in service.

    S3 gets the verified artifact again if it has lost or changed it.
    """
    aws = context.connect()
    config, hosting = context.config, context.config.hosting
    name = context.resource_name
    job = read_json(context.path(paths.JOB))
    context.journal.append("intent", stage="deploy", fingerprint=context.fingerprint, resource=name, bills="endpoint")
    write_json(context.path(paths.ENDPOINT), {"name": name, "model": context.inputs["train"]})
    artifact = context.path(paths.ARTIFACT)
    bucket, key = parse_uri(job["artifact"])
    size_bytes, sha256 = artifact.stat().st_size, sha256_file(artifact)
    if not is_stored(aws, artifact, bucket=bucket, key=key, size_bytes=size_bytes, sha256=sha256):
        ensure_bucket(aws, bucket)
        upload_file(aws, artifact, bucket=bucket, key=key, sha256=sha256, kms_key=config.kms.output)
    owned = tags(
        fingerprint=context.fingerprint,
        run=context.run,
        expires_s=time.time() + 3600 * hosting.keep_for_h,
        extra=config.tags,
    )
    statuses = {
        endpoints.create_or_adopt_model(
            aws,
            name,
            image_uri=image_uri(config.region),
            artifact_s3_uri=job["artifact"],
            role_arn=config.execution_role_arn,
            tags=owned,
            network=Network(**dict(config.network)),
        ),
        endpoints.create_or_adopt_endpoint_config(
            aws,
            name,
            model_name=name,
            instance_type=hosting.instance_type,
            instance_count=hosting.instance_count,
            variant_name=hosting.variant_name,
            tags=owned,
            volume_kms=config.kms.volume,
        ),
        endpoints.create_or_adopt_endpoint(aws, name, config_name=name, tags=owned),
    }
    endpoints.wait_for_endpoint(aws, name)
    return Outcome(
        outputs=(paths.ENDPOINT,),
        status="adopted" if statuses == {"adopted"} else "run",
        note=f"endpoint {name} is in service",
    )
