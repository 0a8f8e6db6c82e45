import pytest
from pydantic import ValidationError

from asteroid_ll.config import Config
from asteroid_ll.config.models import HostingSettings, SourceSettings, SplitSettings, TrainingSettings
from asteroid_ll.errors import ConfigError

MINE = "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov/python:3.12"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"


def test_the_defaults_are_an_offline_run_on_the_catalogue():
    config = Config()
    assert (config.target, config.source.kind, config.features.set, config.split.by) == (
        "emulator",
        "catalogue",
        "spline",
        "asteroid",
    )
    assert dict(config.hyperparameters) == {
        "predictor_type": "binary_classifier",
        "mini_batch_size": "100",
        "epochs": "15",
        "binary_classifier_model_selection_criteria": "loss_function",
    }


def test_neither_a_config_nor_its_sections_can_be_changed():
    config = Config()
    with pytest.raises(ValidationError, match="frozen"):
        config.region = "eu-west-1"
    with pytest.raises(ValidationError, match="frozen"):
        config.training.instance_count = 2
    with pytest.raises(TypeError):
        config.hyperparameters["epochs"] = "1"


def test_hyperparameters_become_text_are_laid_over_the_defaults_and_stand_in_the_tables_order():
    config = Config(hyperparameters={"use_bias": True, "wd": 0.1, "l1": 1e-07, "epochs": 3})
    assert list(config.hyperparameters.items()) == [
        ("predictor_type", "binary_classifier"),
        ("mini_batch_size", "100"),
        ("epochs", "3"),
        ("use_bias", "true"),
        ("binary_classifier_model_selection_criteria", "loss_function"),
        ("wd", "0.1"),
        ("l1", "1e-07"),
    ]


@pytest.mark.parametrize("value", [None, "", "  ", [1], {"a": 1}, float("nan"), float("inf")], ids=repr)
def test_a_hyperparameter_that_is_no_finite_scalar_is_refused(value):
    with pytest.raises(ValidationError, match="must be a word, a finite number, true or false"):
        Config(hyperparameters={"epochs": value})


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (TrainingSettings, {"instance_type": "m5.large"}),
        (TrainingSettings, {"instance_type": "ml.m5.large\n"}),
        (TrainingSettings, {"max_runtime_s": 59}),
        (TrainingSettings, {"max_runtime_s": 432_001}),
        (TrainingSettings, {"volume_size_gb": 10.0}),
        (TrainingSettings, {"instance_count": True}),
        (TrainingSettings, {"input_mode": "file"}),
        (HostingSettings, {"variant_name": "-x"}),
        (HostingSettings, {"variant_name": "x" * 64}),
        (HostingSettings, {"keep_for_h": 0}),
        (HostingSettings, {"keep_for_h": float("inf")}),
        (SplitSettings, {"test": 1}),
        (SplitSettings, {"validation": -0.1}),
        (SplitSettings, {"seed": 2**32}),
        (SourceSettings, {"sha256": "A" * 64}),
        (SourceSettings, {"location": ""}),
        (Config, {"region": "us-east"}),
        (Config, {"bucket": "Upper"}),
        (Config, {"bucket": "ab"}),
        (Config, {"bucket": "a.b"}),
        (Config, {"prefix": "/a"}),
        (Config, {"prefix": "a//b"}),
        (Config, {"prefix": "a/"}),
        (Config, {"role_arn": "arn:aws:iam::12:role/x"}),
        (Config, {"role_arn": "arn:aws:iam::123456789012:user/x"}),
    ],
    ids=str,
)
def test_a_value_outside_its_range_or_form_is_refused(section, values):
    with pytest.raises(ValidationError):
        section(**values)


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"target": "aws"}, "role_arn"),
        ({"source": {"kind": "csv"}}, "source.location"),
        ({"source": {"location": "x.csv"}}, "source.location"),
        ({"split": {"validation": 0.5, "test": 0.5}}, "split.test"),
        ({"training": {"instance_count": 2}}, "encode.n_shards"),
        ({"training": {"max_wait_s": 1800}}, "training.max_wait_s"),
        ({"training": {"spot": True, "max_wait_s": 1200}}, "training.max_wait_s"),
        ({"training": {"spot": True, "max_runtime_s": 3601}}, "training.max_runtime_s"),
        ({"training": {"instance_type": ["ml.m5.large", "ml.m5.large"]}}, "training.instance_type"),
        ({"account": {"external_id": "x1"}}, "account.external_id"),
        ({"kms": {"volume": KEY}, "training": {"instance_type": ["ml.m5.large", "ml.g4dn.xlarge"]}}, "kms.volume"),
        ({"kms": {"output": f"arn:aws:kms:eu-west-1:111122223333:key/{KEY}"}}, "kms.output"),
        ({"network": {"subnets": ["subnet-12345678"]}}, "network.security_groups"),
        ({"network": {"security_groups": ["sg-12345678"]}}, "network.subnets"),
        ({"stages": {"where": "processing"}, "region": "us-iso-east-1"}, "processing.image_uri"),
        ({"stages": {"where": "processing"}, "processing": {"instance_count": 4}}, "processing.instance_count"),
        ({"stages": {"where": "processing"}, "processing": {"image_uri": MINE}}, "processing.image_uri"),
        (
            {
                "stages": {"where": "processing"},
                "processing": {"instance_type": "ml.r5d.large"},
                "kms": {"volume": KEY},
            },
            "kms.volume",
        ),
        ({"tags": {str(number): "" for number in range(47)}}, "tags"),
        ({"tags": {"Team": "a", "team": "b"}}, "tags"),
    ],
    ids=str,
)
def test_values_that_do_not_go_together_are_refused_by_the_key_to_change(values, key):
    with pytest.raises(ValidationError) as caught:
        Config.model_validate(values)
    (error,) = caught.value.errors()
    assert [name for name, _ in error["ctx"]["conflicts"]] == [key]


def test_what_only_a_processing_job_needs_is_not_asked_of_a_local_run():
    Config.model_validate({"region": "us-iso-east-1", "processing": {"instance_count": 4}})


def test_the_image_of_processing_jobs_is_awss_for_the_region_or_the_configured_one():
    processing = Config().processing
    assert processing.image("cn-north-1") == (
        "727897471807.dkr.ecr.cn-north-1.amazonaws.com.cn/pytorch-training:2.8.0-cpu-py312"
    )
    with pytest.raises(ConfigError, match="No image for processing jobs is known for region 'us-iso-east-1'"):
        processing.image("us-iso-east-1")
    config = Config.model_validate(
        {"region": "us-iso-east-1", "stages": {"where": "processing"}, "processing": {"image_uri": MINE}}
    )
    assert config.processing.image("us-iso-east-1") == MINE


def test_two_machines_may_share_one_file_when_each_gets_everything():
    config = Config.model_validate({"training": {"instance_count": 2, "train_distribution": "FullyReplicated"}})
    assert config.encode.n_shards == 1


def test_the_role_and_the_bucket_are_worked_out_where_they_are_auto():
    assert Config().execution_role_arn == "arn:aws:iam::000000000000:role/asteroid-ll"
    assert Config().bucket_name("123456789012") == "sagemaker-us-east-1-123456789012-asteroid-ll"
    mine = Config(bucket="mine-1", role_arn="arn:aws:iam::123456789012:role/service-role/x")
    assert mine.execution_role_arn == "arn:aws:iam::123456789012:role/service-role/x"
    assert mine.bucket_name("123456789012") == "mine-1"


def test_a_sections_values_are_plain_and_sorted():
    assert Config().section_values("split") == {"by": "asteroid", "seed": 0, "test": 0.15, "validation": 0.15}
    assert list(Config().section_values("hyperparameters")) == [
        "binary_classifier_model_selection_criteria",
        "epochs",
        "mini_batch_size",
        "predictor_type",
    ]
    assert Config().section_values("clean")["drop"] == []


@pytest.mark.parametrize("name", ["trainings", "region"])
def test_what_is_no_section_has_no_section_values(name):
    with pytest.raises(KeyError):
        Config().section_values(name)


def test_a_regressor_is_not_given_a_classifiers_criterion():
    found = Config.model_validate({"hyperparameters": {"predictor_type": "regressor"}}).hyperparameters
    assert dict(found) == {"predictor_type": "regressor", "mini_batch_size": "100", "epochs": "15"}


def test_keys_that_are_newer_than_the_first_release_have_values_only_if_they_are_set():
    values = Config().stored_values()
    assert not {"account", "kms", "network", "processing", "stages", "tags"} & set(values)
    assert not {"spot", "max_wait_s"} & set(values["training"])
    given = {"kms": {"s3": "alias/a"}, "network": {"isolation": True}, "training": {"spot": True}, "tags": {"a": "b"}}
    values = Config.model_validate(given).stored_values()
    assert {name: values[name] for name in ("kms", "network", "tags")} == {
        name: given[name] for name in ("kms", "network", "tags")
    }
    assert values["training"]["spot"] is True
    assert "max_wait_s" not in values["training"]
    assert Config.model_validate(values).stored_values() == values


@pytest.mark.parametrize(
    "given",
    [
        {"kms": {"volume": "alias/a"}},
        {"kms": {"s3": "my key"}},
        {"network": {"subnets": ["default"]}},
        {"processing": {"image_uri": "python:3.12"}},
        {"processing": {"image_uri": "docker.io/python:3.12"}},
        {"processing": {"image_uri": "123456789012.dkr.ecr.us-east-1.amazonaws.com/python:3.12 -x"}},
        {"stages": {"where": "aws"}},
        {"network": {"security_groups": ["sg-1"]}},
        {"tags": {"aws:team": "a"}},
        {"tags": {"AWS:team": "a"}},
        {"tags": {"asteroid-ll:run": "a"}},
        {"tags": {"a" * 129: "a"}},
        {"tags": {"a": "b" * 257}},
        {"tags": {"a": "b!"}},
        {"account": {"assume_role": "data-team"}},
        {"account": {"assume_role": "arn:aws:iam::111122223333:role/x", "external_id": "a b"}},
        {"training": {"instance_type": []}},
        {"training": {"instance_type": ["ml.m5.large", "m5.large"]}},
        {"training": {"instance_type": ["ml.m5.large"] * 6}},
        {"training": {"spot": True, "max_wait_s": 3601}},
    ],
    ids=str,
)
def test_what_aws_would_refuse_is_refused(given):
    with pytest.raises(ValidationError):
        Config.model_validate(given)


def test_a_spot_job_waits_for_an_hour_unless_less_is_given():
    assert TrainingSettings().wait_limit_s is None
    assert TrainingSettings(spot=True).wait_limit_s == 3600
    assert TrainingSettings(spot=True, max_wait_s=2000).wait_limit_s == 2000
    types = ("ml.c5.xlarge", "ml.m5.large")
    assert TrainingSettings(instance_type=list(types)).instance_types == types
