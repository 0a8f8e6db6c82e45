"""SageMaker's control plane: the table of kinds and the table of operations.

To add a kind, write its checks and its description in a module of its own and enter its `Kind` in ``KINDS``. Another
operation is a function from a `SageMakerCall` to the output's members, entered in ``OPERATIONS``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from asteroid_ll.emulator.sagemaker import hosting, kinds, models, processing, training, transform, tuning
from asteroid_ll.emulator.sagemaker.kinds import Kind, Operation
from asteroid_ll.emulator.service import JSON, Service

KINDS = (
    training.KIND,
    transform.KIND,
    processing.KIND,
    tuning.KIND,
    models.MODEL,
    models.ENDPOINT_CONFIG,
    hosting.ENDPOINT,
)
"""The kinds of resources."""


def _operations(kind: Kind) -> Iterator[tuple[str, Operation]]:
    """Yield the operations that a kind has: only jobs are stopped, and AWS deletes no transform job."""
    yield f"Create{kind.prefix}", partial(kinds.create, kind)
    yield f"Describe{kind.prefix}", partial(kinds.describe, kind)
    yield f"List{kind.prefix}s", partial(kinds.list_page, kind)
    if kind.prefix.endswith("Job"):
        yield f"Stop{kind.prefix}", partial(kinds.stop, kind)
    if kind is not transform.KIND:
        yield f"Delete{kind.prefix}", partial(kinds.delete, kind)


OPERATIONS: dict[str, Operation] = {
    **{name: operation for kind in KINDS for name, operation in _operations(kind)},
    "ListTrainingJobsForHyperParameterTuningJob": tuning.list_training_jobs,
    "UpdateEndpoint": hosting.update,
    "DeleteEndpoint": hosting.delete,
    "AddTags": kinds.add_tags,
    "ListTags": kinds.list_tags,
    "DeleteTags": kinds.delete_tags,
}

MISSING = {
    "CreateTrainingJob": "images other than Linear Learner's; uncompressed artifacts; record wrappers; "
    "`AugmentedManifestFile`, `ServerlessJobConfig`, `MlflowConfig`, `ModelPackageConfig`, `InstanceGroups`, "
    "`TrainingPlanArn`, `KeepAlivePeriodInSeconds`",
    "ListTrainingJobs": "`TrainingPlanArnEquals`, `WarmPoolStatusEquals`",
    "CreateTransformJob": "`DataCaptureConfig`; `DataProcessing` with a filter or a join; `SplitType` `TFRecord`",
    "CreateProcessingJob": "entry points and wheels other than asteroid-ll's own; `Pipe`, `Gzip`, `Continuous`; "
    "`AppManaged`, `DatasetDefinition`, `ExperimentConfig`, `FeatureStoreOutput`, `InstancePreferences`",
    "CreateHyperParameterTuningJob": "images other than Linear Learner's; the strategy `Hyperband`; early stopping; "
    "`TrainingJobDefinitions`, `WarmStartConfig`, `Autotune`, `AutoParameters`, `ReverseLogarithmic`, "
    "`BestObjectiveNotImproving`, `ConvergenceDetected`, `InstanceConfigs`; what a training job lacks",
    "CreateModel": "images other than Linear Learner's; several models or containers; `ModelPackageName`, "
    "`ModelDataSource`, `AdditionalModelDataSources`",
    "CreateEndpointConfig": "`AsyncInferenceConfig`, `DataCaptureConfig`, `ExplainerConfig`, "
    "`ShadowProductionVariants`",
    "CreateEndpoint": "`DeploymentConfig`",
    "UpdateEndpoint": "`DeploymentConfig`, `RetainAllVariantProperties`, `RetainDeploymentConfig`",
}
"""What operations lack, by name; a request with one of these is refused by name."""

SERVICE = Service("sagemaker", JSON, operations=OPERATIONS, missing=MISSING)
