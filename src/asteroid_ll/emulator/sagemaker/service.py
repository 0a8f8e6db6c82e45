"""SageMaker's control plane: the table of operations.

To add an operation, write a function from a `SageMakerCall` to the output's members and enter it in ``OPERATIONS``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asteroid_ll.emulator.sagemaker import (
    hosting,
    models,
    processing_jobs,
    tags,
    training_jobs,
    transform_jobs,
    warm_pools,
)
from asteroid_ll.emulator.sagemaker.call import SageMakerCall
from asteroid_ll.emulator.sagemaker.tuning import jobs as tuning_jobs
from asteroid_ll.emulator.service import JSON, Service

OPERATIONS: dict[str, Callable[[SageMakerCall], dict[str, Any]]] = {
    "CreateTrainingJob": training_jobs.create,
    "DescribeTrainingJob": training_jobs.describe,
    "ListTrainingJobs": training_jobs.list_jobs,
    "UpdateTrainingJob": warm_pools.update_training_job,
    "StopTrainingJob": training_jobs.stop,
    "DeleteTrainingJob": training_jobs.delete,
    "CreateTransformJob": transform_jobs.create,
    "DescribeTransformJob": transform_jobs.describe,
    "ListTransformJobs": transform_jobs.list_jobs,
    "StopTransformJob": transform_jobs.stop,
    "CreateProcessingJob": processing_jobs.create,
    "DescribeProcessingJob": processing_jobs.describe,
    "ListProcessingJobs": processing_jobs.list_jobs,
    "StopProcessingJob": processing_jobs.stop,
    "DeleteProcessingJob": processing_jobs.delete,
    "CreateHyperParameterTuningJob": tuning_jobs.create,
    "DescribeHyperParameterTuningJob": tuning_jobs.describe,
    "ListHyperParameterTuningJobs": tuning_jobs.list_jobs,
    "ListTrainingJobsForHyperParameterTuningJob": tuning_jobs.list_training_jobs,
    "StopHyperParameterTuningJob": tuning_jobs.stop,
    "DeleteHyperParameterTuningJob": tuning_jobs.delete,
    "CreateModel": models.create_model,
    "DescribeModel": models.describe_model,
    "ListModels": models.list_models,
    "DeleteModel": models.delete_model,
    "CreateEndpointConfig": models.create_endpoint_config,
    "DescribeEndpointConfig": models.describe_endpoint_config,
    "ListEndpointConfigs": models.list_endpoint_configs,
    "DeleteEndpointConfig": models.delete_endpoint_config,
    "CreateEndpoint": hosting.create,
    "UpdateEndpoint": hosting.update,
    "DescribeEndpoint": hosting.describe,
    "ListEndpoints": hosting.list_endpoints,
    "DeleteEndpoint": hosting.delete,
    "AddTags": tags.add,
    "ListTags": tags.list_tags,
    "DeleteTags": tags.delete,
}

MISSING = {
    "CreateTrainingJob": "images other than Linear Learner's; uncompressed artifacts; record wrappers; "
    "`AugmentedManifestFile`, `ServerlessJobConfig`, `MlflowConfig`, `ModelPackageConfig`, `InstanceGroups`, "
    "`TrainingPlanArn`",
    "UpdateTrainingJob": "`ProfilerConfig`, `ProfilerRuleConfigurations`, `RemoteDebugConfig`",
    "CreateTransformJob": "`DataCaptureConfig`; `DataProcessing` with a filter or a join; `SplitType` `TFRecord`",
    "CreateProcessingJob": "entry points and wheels other than asteroid-ll's own; `Pipe`, `Gzip`, `Continuous`; "
    "`AppManaged`, `DatasetDefinition`, `ExperimentConfig`, `FeatureStoreOutput`, `InstancePreferences`",
    "CreateHyperParameterTuningJob": "images other than Linear Learner's; the strategy `Hyperband`; "
    "`TrainingJobDefinitions`, `WarmStartConfig`, `Autotune`, `AutoParameters`, `ConvergenceDetected`, "
    "`InstanceConfigs`, `KeepAlivePeriodInSeconds`; what a training job lacks",
    "CreateModel": "images other than Linear Learner's; several models or containers; `ModelPackageName`, "
    "`ModelDataSource`, `AdditionalModelDataSources`",
    "CreateEndpointConfig": "`AsyncInferenceConfig`, `DataCaptureConfig`, `ExplainerConfig`, "
    "`ShadowProductionVariants`",
    "CreateEndpoint": "`DeploymentConfig`",
    "UpdateEndpoint": "`DeploymentConfig`, `RetainAllVariantProperties`, `RetainDeploymentConfig`",
}
"""What operations lack, by name; a request with one of these is refused by name."""

SERVICE = Service("sagemaker", JSON, operations=OPERATIONS, missing=MISSING)
