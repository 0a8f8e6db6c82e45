"""deploy: model, endpoint configuration and endpoint, each created or adopted under names of this content and run.

In the mode ``batch`` there is only the model, which costs nothing.
"""

from __future__ import annotations

import time

from asteroid_ll.aws import endpoints
from asteroid_ll.aws.models import register_artifact
from asteroid_ll.aws.network import Network
from asteroid_ll.aws.resources import CreatedOrAdopted
from asteroid_ll.aws.tags import tags
from asteroid_ll.run import paths
from asteroid_ll.run.files import read_json, write_json
from asteroid_ll.stages.stage import Context, Outcome


def run(context: Context) -> Outcome:
    """Put the trained model behind an endpoint and wait until it is in service, or register it for batch transform.

    S3 gets the verified artifact again if it has lost or changed it.
    """
    aws = context.connect()
    config, hosting = context.config, context.config.hosting
    name, is_batch = context.resource_name, hosting.mode == "batch"
    job = read_json(context.path(paths.JOB))
    bills = "model" if is_batch else "endpoint"
    context.journal.append("intent", stage="deploy", fingerprint=context.fingerprint, resource=name, bills=bills)
    write_json(context.path(paths.ENDPOINT), {"name": name, "model": context.inputs["train"]})
    owned = tags(
        fingerprint=context.fingerprint,
        run=context.run,
        expires_s=time.time() + 3600 * hosting.keep_for_h,
        extra=config.tags,
    )
    statuses = {
        register_artifact(
            aws,
            name,
            artifact=context.path(paths.ARTIFACT),
            artifact_s3_uri=job["artifact"],
            role_arn=config.execution_role_arn,
            tags=owned,
            network=Network(**dict(config.network)),
            kms_key=config.kms.output,
        )
    }
    if not is_batch:
        statuses |= _create_endpoint(context, name, owned)
        endpoints.wait_for_endpoint(aws, name)
    return Outcome(
        outputs=(paths.ENDPOINT,),
        status="adopted" if statuses == {"adopted"} else "run",
        note=f"model {name} is ready for batch transform" if is_batch else f"endpoint {name} is in service",
    )


def _create_endpoint(context: Context, name: str, owned: dict[str, str]) -> set[CreatedOrAdopted]:
    """Create or adopt the configuration and the endpoint."""
    aws, hosting = context.connect(), context.config.hosting
    serverless = {"MemorySizeInMB": hosting.memory_size_mb, "MaxConcurrency": hosting.max_concurrency}
    return {
        endpoints.create_or_adopt_endpoint_config(
            aws,
            name,
            model_name=name,
            instance_type=hosting.instance_type,
            instance_count=hosting.instance_count,
            variant_name=hosting.variant_name,
            tags=owned,
            volume_kms=context.config.kms.volume,
            serverless=serverless if hosting.mode == "serverless" else None,
        ),
        endpoints.create_or_adopt_endpoint(aws, name, config_name=name, tags=owned),
    }
