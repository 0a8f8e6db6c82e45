"""A tuning job is refused as by AWS, in AWS's words if they are public, and the gaps of the emulator by name.

The messages about metrics, combinations, names and attempts are those of public issues of sagemaker-python-sdk,
amazon-sagemaker-examples and amazon-sagemaker-operator-for-k8s.
"""

from __future__ import annotations

import pytest

from asteroid_ll.emulator.sagemaker.tuning.rules import OBJECTIVES, TUNABLE
from asteroid_ll.emulator.worker.jobs import Jobs
from asteroid_ll.emulator.worker.metrics import DEFINITIONS
from asteroid_ll.linear_learner.hyperparameters import HYPERPARAMETERS
from asteroid_ll.linear_learner.images import image_uri

ALGORITHM = f"[{image_uri('us-west-2')}] algorithm"
CONTINUOUS, INTEGER, CATEGORICAL = "ContinuousParameterRanges", "IntegerParameterRanges", "CategoricalParameterRanges"


def numbers(name, low, high, scaling="Auto"):
    return {"Name": name, "MinValue": low, "MaxValue": high, "ScalingType": scaling}


def objective(metric, direction):
    return {"config": {"HyperParameterTuningJobObjective": {"MetricName": metric, "Type": direction}}}


@pytest.fixture(autouse=True)
def _no_processes(monkeypatch):
    monkeypatch.setattr(Jobs, "spawn", lambda *_: None)


def test_each_tunable_hyperparameter_and_each_objective_exists():
    assert TUNABLE.keys() <= HYPERPARAMETERS.keys()
    assert OBJECTIVES.keys() <= DEFINITIONS.keys()
    assert len(OBJECTIVES) == 29  # 14 of both channels, and validation:rmse


def config(**members):
    return {"config": members}


def definition(**members):
    return {"definition": members}


def ranges(**lists):
    return {"ranges": {CONTINUOUS: [], **lists}}


def integers(*found):
    return ranges(**{INTEGER: list(found)})


def decimals(*found):
    return ranges(**{CONTINUOUS: list(found)})


def categories(*values):
    return ranges(**{CATEGORICAL: [{"Name": "use_bias", "Values": list(values)}]})


DATA = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://asteroids/none"}}
SPECIFICATION = {"TrainingImage": image_uri("us-west-2"), "TrainingInputMode": "File"}
SEVERAL_TYPES = {"InstanceConfigs": [{"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}]}
PARENTS = {"ParentHyperParameterTuningJobs": [{"HyperParameterTuningJobName": "a"}]}
NO_METRIC = (
    "A metric is required for this hyperparameter tuning job objective. Provide a metric in the metric definitions."
)
UNKNOWN_METRIC = (
    f"The objective metric, [validation:auc], isn't valid for the {ALGORITHM}. Choose a valid objective metric."
)
WRONG_DIRECTION = (
    "The objective metric type, [Maximize], that you specified for objective metric, [validation:mse], isn't valid for "
    f"the {ALGORITHM}. Choose a valid objective metric type."
)
OWN_METRICS = (
    "You can't override the metric definitions for Amazon SageMaker algorithms. Please retry the request without "
    "specifying metric definitions."
)
TOO_FEW = (
    "You don't have enough combinations of hyperparameter ranges. The total number of hyperparameter combinations for "
    "the provided ranges [2.0] must be equal or greater than the value of MaxNumberOfJobs, [3]. Provide additional "
    "ranges."
)
REFUSED = {
    "no-metric": (config(HyperParameterTuningJobObjective=None), NO_METRIC),
    "unknown-metric": (objective("validation:auc", "Maximize"), UNKNOWN_METRIC),
    "direction": (objective("validation:mse", "Maximize"), WRONG_DIRECTION),
    "own-metrics": (
        definition(AlgorithmSpecification={**SPECIFICATION, "MetricDefinitions": [{"Name": "a", "Regex": "b"}]}),
        OWN_METRICS,
    ),
    "combinations": (categories("true", "false"), TOO_FEW),
    "no-range": (ranges(), "at least one range"),
    "twice": (decimals(*[numbers("wd", "0", "1")] * 2), "Each hyperparameter has one range: [wd, wd]"),
    "fixed": (definition(StaticHyperParameters={"wd": "1"}), "StaticHyperParameters: [wd]"),
    "not-tunable": (integers(numbers("epochs", "1", "9")), "[epochs], isn't tunable for the"),
    "wrong-kind": (integers(numbers("l1", "1", "9")), "[l1], needs a range in ContinuousParameterRanges"),
    "not-a-number": (decimals(numbers("wd", "auto", "1")), "[wd], needs numbers with MinValue <="),
    "reversed": (decimals(numbers("wd", "1", "0.1")), "[wd], needs numbers with MinValue <="),
    "negative": (decimals(numbers("wd", "-1", "1")), "has an invalid value, [-1]"),
    "fraction": (integers(numbers("mini_batch_size", "1.5", "9")), "has an invalid value, [1.5]"),
    "category": (categories("maybe"), "invalid value, [maybe]"),
    "same-category": (categories("true", "true"), "are not unique"),
    "logarithm-of-0": (decimals(numbers("wd", "0", "1", "Logarithmic")), "greater than 0"),
    "reverse-of-1": (decimals(numbers("wd", "0", "1", "ReverseLogarithmic")), "within 0 <= x < 1.0"),
    "reverse-integer": (
        integers(numbers("mini_batch_size", "1", "9", "ReverseLogarithmic")),
        "isn't supported for integer hyperparameters",
    ),
    "no-end": ({"limits": {"MaxNumberOfTrainingJobs": None}}, "ResourceLimits needs MaxNumberOfTrainingJobs"),
    "grid-of-numbers": (config(Strategy="Grid"), "Grid supports CategoricalParameterRanges only"),
    "grid-size": (config(Strategy="Grid") | categories("true", "false"), "combinations, [2], or left out"),
    "no-definition": ({"TrainingJobDefinition": None}, "needs a TrainingJobDefinition"),
    "hyperband": (config(Strategy="Hyperband"), "no HyperParameterTuningJobConfig.Strategy Hyperband."),
    "warm-start": ({"WarmStartConfig": {"WarmStartType": "TransferLearning", **PARENTS}}, "has no WarmStartConfig."),
    "autotune": ({"Autotune": {"Mode": "Enabled"}}, "The emulator has no Autotune."),
    "automatic": (ranges(AutoParameters=[{"Name": "wd", "ValueHint": "1"}]), "no ParameterRanges.AutoParameters."),
    "convergence": (
        config(TuningJobCompletionCriteria={"ConvergenceDetected": {"CompleteOnConvergence": "Enabled"}}),
        "The emulator has no TuningJobCompletionCriteria.ConvergenceDetected.",
    ),
    "several-types": (definition(HyperParameterTuningResourceConfig=SEVERAL_TYPES), "ResourceConfig.InstanceConfigs."),
    "warm-pool": (
        definition(ResourceConfig={"InstanceType": "ml.m5.large", "KeepAlivePeriodInSeconds": 60}),
        "The emulator has no ResourceConfig.KeepAlivePeriodInSeconds.",
    ),
    "role": (definition(RoleArn="arn:aws:iam::123456789012:role/a"), "Could not assume role"),
    "no-data": (
        definition(InputDataConfig=[{"ChannelName": "train", "DataSource": DATA}]),
        "No S3 objects found under S3 URL",
    ),
}


def test_a_bad_request_is_refused_by_its_reason(sagemaker, bucket, tuning_request, refused):
    wrong = {}
    for case, (changes, says) in REFUSED.items():
        code, message = refused(sagemaker.create_hyper_parameter_tuning_job, **tuning_request(**changes))
        if code != "ValidationException" or says not in message:
            wrong[case] = (code, message)
    assert wrong == {}
    assert sagemaker.list_hyper_parameter_tuning_jobs()["HyperParameterTuningJobSummaries"] == []


def test_the_quota_must_hold_all_parallel_training_jobs(emulator, sagemaker, bucket, tuning_request, refused):
    emulator.configure(quotas={"ml.m5.large for training job usage": 5})
    resources = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
    request = tuning_request(limits={"MaxParallelTrainingJobs": 3}, **definition(ResourceConfig=resources))
    code, message = refused(sagemaker.create_hyper_parameter_tuning_job, **request)
    assert code == "ResourceLimitExceeded"
    assert "is 5 Instances, with current utilization of 0 Instances and a request delta of 6 Instances" in message


@pytest.mark.parametrize(("limit", "number"), [("MaxNumberOfTrainingJobs", 751), ("MaxParallelTrainingJobs", 101)])
def test_a_tuning_job_has_aws_s_limits(sagemaker, bucket, tuning_request, refused, limit, number):
    code, message = refused(sagemaker.create_hyper_parameter_tuning_job, **tuning_request(limits={limit: number}))
    assert code == "ResourceLimitExceeded"
    assert f"is {number - 1} Jobs" in message


def test_names_are_unique_and_unknown_ones_not_found(sagemaker, bucket, tuning_request, refused):
    sagemaker.create_hyper_parameter_tuning_job(**tuning_request())
    assert refused(sagemaker.create_hyper_parameter_tuning_job, **tuning_request()) == (
        "ResourceInUse",
        "A hyperparameter tuning job with the name, tune, already exists. Choose a different name.",
    )
    for call in (
        sagemaker.describe_hyper_parameter_tuning_job,
        sagemaker.stop_hyper_parameter_tuning_job,
        sagemaker.list_training_jobs_for_hyper_parameter_tuning_job,
        sagemaker.delete_hyper_parameter_tuning_job,
    ):
        assert refused(call, HyperParameterTuningJobName="other") == (
            "ResourceNotFound",
            "Amazon SageMaker can't find a tuning job called other. Type another name.",
        )


def test_a_tuning_job_without_a_number_of_training_jobs_has_another_end(sagemaker, emulator, bucket, tuning_request):
    limits = {"MaxNumberOfTrainingJobs": None, "MaxRuntimeInSeconds": 600}
    sagemaker.create_hyper_parameter_tuning_job(**tuning_request(limits=limits))
    assert emulator.services.tunings.get("us-west-2", "tune").body["n_jobs"] == 750


def test_a_grid_has_as_many_training_jobs_as_combinations(sagemaker, bucket, tuning_request):
    searched = [{"Name": "use_bias", "Values": ["true", "false"]}, {"Name": "wd", "Values": ["0.1", "0.01"]}]
    changes = config(Strategy="Grid") | ranges(**{CATEGORICAL: searched})
    request = tuning_request(limits={"MaxNumberOfTrainingJobs": None}, **changes)
    sagemaker.create_hyper_parameter_tuning_job(**request)
    job = sagemaker.describe_hyper_parameter_tuning_job(HyperParameterTuningJobName="tune")
    assert job["HyperParameterTuningJobConfig"]["ResourceLimits"]["MaxNumberOfTrainingJobs"] == 4
