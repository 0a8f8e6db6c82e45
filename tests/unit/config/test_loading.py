import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asteroid_ll.config import Config, load, template
from asteroid_ll.errors import ConfigError
from asteroid_ll.neo.table import COLUMNS


@pytest.fixture
def problems_of(tmp_path):
    """Returns the problems that a file's text has, in order."""

    def problems_of(text, *overrides):
        path = tmp_path / "mine.yaml"
        path.write_text(text, encoding="utf-8")
        with pytest.raises(ConfigError) as caught:
            load(path, overrides=overrides)
        assert caught.value.exit_code == 2
        assert caught.value.hint == f"Check it again: asteroid-ll config validate -c {path}"
        problems = caught.value.context["problems"]
        assert all(problem in caught.value.what for problem in problems)
        return list(problems)

    return problems_of


@pytest.mark.parametrize("text", ["", "\n# nothing\n", "null", "{}", "training:\nhyperparameters:\n# all commented\n"])
def test_a_file_without_keys_has_the_defaults(tmp_path, text):
    path = tmp_path / "empty.yaml"
    path.write_text(text)
    assert load(path) == load(None) == Config()


@pytest.fixture
def written(tmp_path):
    """Writes a template and returns its path."""

    def written(name):
        path = tmp_path / f"{name}.yaml"
        path.write_text(template(name), encoding="utf-8")
        return path

    return written


def test_the_template_for_the_emulator_spells_out_the_defaults(written):
    assert load(written("emulator")) == Config()


def test_the_template_for_the_tutorial_is_the_published_one(written):
    config = load(written("tutorial"))
    assert config.target == "emulator"
    assert (config.bucket, config.prefix) == ("datastorez", "sagemaker/DEMO-asteroid-prediction")
    assert (config.source.kind, config.source.location) == ("csv", "nasa_asteroids.csv")
    assert len(config.clean.drop) == 5
    assert (config.clean.column_names, config.clean.export_csv) == ("tutorial", True)
    assert (config.split.by, config.split.validation, config.split.test) == ("row", 0.1, 0.1)
    assert config.features.set == "raw"
    training = config.training
    assert (training.instance_type, training.instance_count) == ("ml.c4.2xlarge", 1)
    assert (training.volume_size_gb, training.max_runtime_s) == (10, 3600)
    assert (training.input_mode, training.train_distribution) == ("File", "ShardedByS3Key")
    assert dict(config.hyperparameters) == {
        "predictor_type": "regressor",
        "feature_dim": "32",
        "mini_batch_size": "100",
        "epochs": "10",
        "num_models": "32",
        "loss": "absolute_loss",
    }
    assert (config.hosting.instance_type, config.hosting.variant_name) == ("ml.m4.xlarge", "AllTraffic")
    assert (config.predict.content_type, config.predict.number_format) == ("text/csv", "g")
    assert (config.predict.threshold, config.predict.baseline) == (0.5, "median")


def test_the_tutorials_dropped_columns_are_columns_of_the_table(written):
    names = {column.name for column in COLUMNS}
    assert set(load(written("tutorial")).clean.drop) <= names


def test_the_template_for_an_account_is_refused_until_its_placeholders_are_replaced(written):
    path = written("aws")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert [text.split(": ")[1:3] for text in caught.value.context["problems"]] == [
        ["region", "still has the placeholder <your region, such as eu-west-1>; write your own value"],
        ["role_arn", caught.value.context["problems"][1].split(": ")[2]],
    ]
    filled = (
        template("aws")
        .replace("<your region, such as eu-west-1>", "eu-west-1")
        .replace(
            "<your execution role, such as arn:aws:iam::123456789012:role/asteroid-ll>",
            "arn:aws:iam::123456789012:role/asteroid-ll",
        )
    )
    path.write_text(filled)
    assert load(path).target == "aws"


def test_a_number_reaches_the_container_as_written(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("hyperparameters: {wd: 0.10, l1: 1E-3, use_bias: on, epochs: 10, margin: 010, loss: 'logistic'}")
    config = load(path, overrides=["hyperparameters.wd=5.0"])
    assert {name: config.hyperparameters[name] for name in ("wd", "l1", "use_bias", "margin", "loss")} == {
        "wd": "5.0",
        "l1": "1E-3",
        "use_bias": "true",
        "margin": "010",
        "loss": "logistic",
    }


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("regoin: x", "line 1: regoin: is not a key; did you mean region?"),
        ("training:\n  instance_typ: x", "line 2: training.instance_typ: is not a key; did you mean instance_type?"),
        (
            "hyperparameters:\n\n  mini_batch_siz: 3",
            "line 3: hyperparameters.mini_batch_siz: is not a hyperparameter of Linear Learner; "
            "did you mean mini_batch_size?",
        ),
        ("bucket: on", 'line 1: bucket: must be text: unquoted, on is a YAML boolean; write "on"'),
        ("prefix: 2024", 'line 1: prefix: must be text: unquoted, 2024 is a number; write "2024"'),
        ("target: Aws", "line 1: target: must be emulator or aws, not Aws; did you mean aws?"),
        ("training: {max_runtime_s: 5}", "line 1: training.max_runtime_s: must be at least 60, not 5"),
        ("training: {max_runtime_s: 1h}", "line 1: training.max_runtime_s: must be a whole number, not 1h"),
        ("training: {max_runtime_s: }", "line 1: training.max_runtime_s: must be a whole number, not nothing"),
        ("training: 5", "line 1: training: must be a section with keys, not 5"),
        ("hyperparameters: [a]", "line 1: hyperparameters: must be a mapping of names to values, not a list"),
        ("report: {html: 1}", "line 1: report.html: must be true or false, not 1"),
        ("cost: {max_usd: 1e400}", "line 1: cost.max_usd: must be a finite number, not 1e400"),
        ("cost: {max_usd: .nan}", "line 1: cost.max_usd: must be a finite number, not .nan"),
        ("cost: {max_usd: 0}", "line 1: cost.max_usd: must be more than 0.0, not 0"),
        ("split: {test: 1.0}", "line 1: split.test: must be less than 1.0, not 1.0"),
        ("clean:\n  drop: name", "line 2: clean.drop: must be a list, not name"),
        ("clean:\n  drop:\n  - name\n  - 1", 'line 4: clean.drop[1]: must be text: unquoted, 1 is a number; write "1"'),
        ("clean:\n  drop:\n  - equinox\n  - orbit_bdy", "line 4: clean.drop[1]: orbit_bdy is not a column; did you "
         "mean orbit_id?"),
        ("source: {kind: csv, location: ''}", "line 1: source.location: must not be empty"),
        ("source:\n  kind: csv", "line 1: source.location: is required for source.kind csv: a path or an http(s) or "
         "s3 URL"),
        ("target: aws", "role_arn: is required for target aws: the ARN of a role that SageMaker may assume"),
        ("region: eu-wset-1", "line 1: region: eu-wset-1 is not an AWS region; did you mean eu-west-1?"),
        ("region: eu-west1", "line 1: region: must be an AWS region such as us-east-1, not eu-west1; did you mean "
         "eu-west-1?"),
        ("training:\n  instance_type: ml.m5.lage", "line 2: training.instance_type: ml.m5.lage is not an instance type "
         "for training; did you mean ml.m5.large?"),
        ("hosting: {instance_type: m5.large}", "line 1: hosting.instance_type: must be a SageMaker instance type such "
         "as ml.m5.large, not m5.large; did you mean ml.m5.large?"),
        ("features: {set: splin}", "line 1: features.set: must be raw, clean, physics, spline or no-label-inputs, not "
         "splin; did you mean spline?"),
        ("hyperparameters:\n  epochs: 0", "line 2: hyperparameters.epochs: must be a whole number from 1, not 0"),
        ("hyperparameters:\n  loss: logistc", "line 2: hyperparameters.loss: must be auto, squared_loss, "
         "absolute_loss, eps_insensitive_squared_loss, eps_insensitive_absolute_loss, quantile_loss, huber_loss, "
         "logistic, hinge_loss or softmax_loss, not logistc; did you mean logistic?"),
        ("hyperparameters:\n  loss: huber_loss", "line 2: hyperparameters.loss: the loss 'huber_loss' is not "
         "applicable to predictor_type 'binary_classifier'; use auto or one of ['logistic', 'hinge_loss']"),
        ("hyperparameters:\n  predictor_type: multiclass_classifier", "line 1: hyperparameters.num_classes: for "
         "predictor_type 'multiclass_classifier', 'num_classes' should be set to a value greater than 2"),
        ("- a", "line 1: the file must contain keys such as target: emulator"),
        ("just text", "line 1: the file must contain keys such as target: emulator"),
        ("a: *x", "line 1: the alias *x is not allowed; write the value out"),
        ("region: eu-west-1\nregion: eu-west-1", "line 2: region: is given twice, first in line 1"),
    ],
    ids=lambda part: part[:40],
)  # fmt: skip
def test_a_wrong_value_is_named_by_line_and_key(problems_of, text, problem):
    assert problems_of(text) == [problem]


def test_every_problem_is_reported_at_once_in_the_order_of_the_lines(problems_of):
    text = "target: aws\nrole_arn: 5\nsource: {kind: csv}\nsplit: {test: .7, validation: .7}\ntraining: {nope: 1}\n"
    assert [problem.split(": ")[:2] for problem in problems_of(text)] == [
        ["line 2", "role_arn"],
        ["line 3", "source.location"],
        ["line 4", "split.test"],
        ["line 5", "training.nope"],
    ]


EVERY_KIND = """\
regoin: eu-west-1
region: eu-wset-1
training:
  instance_type: ml.m5.lage
\tmax_runtime_s: 600
split: {test: 1.5}
hosting:
  instance_type: ml.t2.medim
hyperparameters:
  epochs: 0
  los: logistic
  optimizer: &a adma
source: {kind: csv}
split: {seed: 1}
"""


def test_problems_of_every_kind_and_every_layer_are_in_one_list(tmp_path):
    """A syntax error does not hide the problems of the other sections, other files or other layers."""
    first, second = tmp_path / "a.yaml", tmp_path / "b.yaml"
    first.write_text(EVERY_KIND, "utf-8")
    second.write_text("hyperparameters: {wd: heavy}\nreport: {html: maybe\n", "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(
            [first, second],
            overrides=["hyperparameters.num_models=0", "encode.n_shard=2"],
            environment={"ASTEROID_LL_REGOIN": "x", "ASTEROID_LL_PREDICT__BASELINE": "mode"},
        )
    assert [problem.split(": ")[0].removeprefix(f"{tmp_path}/") for problem in caught.value.context["problems"]] == [
        "ASTEROID_LL_REGOIN",
        "--set encode.n_shard",
        "ASTEROID_LL_PREDICT__BASELINE",
        "--set hyperparameters.num_models",
        *(f"a.yaml, line {line}" for line in (1, 2, 4, 5, 6, 8, 10, 11, 12, 14)),
        "b.yaml, line 1",
        "b.yaml, line 2",
    ]
    assert "Check it again: asteroid-ll config validate -c" in caught.value.hint


def test_values_that_need_a_part_that_cannot_be_read_are_not_blamed(problems_of):
    """Neither the missing location nor the loss is wrong if the broken lines could have the other half."""
    text = "source:\n  kind: csv\nclean: [\nhyperparameters: {loss: absolute_loss}\n"
    assert [problem.partition(" is")[0] for problem in problems_of(text)] == ["line 3: the text"]


def test_a_name_that_botocore_does_not_list_is_accepted_with_a_note(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("\nregion: eu-west-9\n")
    notes = []
    config = load(path, overrides=["training.instance_type=ml.m12.large"], note=notes.append)
    assert (config.region, config.training.instance_type) == ("eu-west-9", "ml.m12.large")
    assert [note.split(": ")[:2] for note in notes] == [
        [f"{path}, line 2", "region"],
        ["--set training.instance_type", notes[1].split(": ")[1]],
    ]


def test_a_stored_configuration_is_not_compared_with_the_botocore_of_today():
    stored = Config(region="eu-wset-1").model_dump(mode="json")
    assert load(None, base=stored).region == "eu-wset-1"


def test_one_problem_is_one_sentence_and_several_are_a_list_with_their_number(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("a: 1")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.what == f"{path} has a problem: line 1: a: is not a key."
    path.write_text("a: 1\nb: 2")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.what == f"{path} has 2 problems.\n  line 1: a: is not a key\n  line 2: b: is not a key"


def test_overrides_win_over_the_file_and_later_ones_over_earlier_ones(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("training: {max_runtime_s: 600, volume_size_gb: 5}\n")
    config = load(
        path,
        overrides=[
            "training.max_runtime_s=700",
            "training.max_runtime_s= 800",
            "clean.drop=[name, equinox]",
            "split={seed: 3}",
        ],
    )
    assert (config.training.max_runtime_s, config.training.volume_size_gb) == (800, 5)
    assert (config.clean.drop, config.split.seed, config.split.by) == (("name", "equinox"), 3, "asteroid")


def test_an_override_can_correct_a_value_of_the_file(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("region: nowhere\n")
    assert load(path, overrides=["region=eu-west-1"]).region == "eu-west-1"


@pytest.mark.parametrize(
    ("override", "problem"),
    [
        ("region", "--set region: must be KEY=VALUE, such as training.max_runtime_s=600"),
        ("=5", "--set =5: must be KEY=VALUE, such as training.max_runtime_s=600"),
        ("a..b=5", "--set a..b=5: must be KEY=VALUE, such as training.max_runtime_s=600"),
        ("region=*x", "--set region: the alias *x is not allowed; write the value out"),
        ("report={html: true, html: true}", "--set report.html: is given twice, first in command line"),
        ("training.x.y=1", "--set training.x: is not a key"),
        ("region.x=1", "--set region: must be text, not a mapping"),
    ],
)
def test_a_wrong_override_is_named_as_such(override, problem):
    with pytest.raises(ConfigError) as caught:
        load(None, overrides=[override])
    assert caught.value.what == f"The command line has a problem: {problem}."
    assert caught.value.hint == "The keys: asteroid-ll config schema"


def test_an_override_replaces_a_value_of_another_kind(tmp_path, problems_of):
    path = tmp_path / "c.yaml"
    path.write_text("training: 5")
    assert load(path, overrides=["training.instance_count=1"]) == Config()
    assert problems_of("region: us-east-1", "region.x=1") == ["--set region: must be text, not a mapping"]


def test_a_missing_file_names_the_command_that_makes_one(tmp_path):
    for name, target in (("no", "emulator"), ("aws", "aws"), ("tutorial", "tutorial")):
        path = tmp_path / f"{name}.yaml"
        with pytest.raises(ConfigError) as caught:
            load(path)
        assert caught.value.what == f"There is no configuration file {path}."
        assert caught.value.hint == f"Make one: asteroid-ll config init --target {target} -o {path}"


def test_a_directory_is_not_a_configuration_file(tmp_path):
    with pytest.raises(ConfigError, match="could not be read: Is a directory"):
        load(tmp_path)


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="this system has no /dev/zero")
def test_an_endless_file_is_read_no_further_than_the_limit():
    with pytest.raises(ConfigError, match="longer than"):
        load(Path("/dev/zero"))


def test_a_number_as_long_as_the_file_is_refused_at_once(problems_of):
    assert problems_of(f"split: {{seed: {'9' * 100_000}}}") == ["line 1: a number of 100000 characters is too long"]


@pytest.mark.parametrize("line", ["key{}: 1\n", "hyperparameters.{}: 1\n", "region: a{}\n"])
def test_thousands_of_problems_are_counted_and_the_first_hundred_listed(tmp_path, line):
    path = tmp_path / "c.yaml"
    path.write_text("".join(line.format(n) for n in range(10_000)))
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert caught.value.what.startswith(f"{path} has 10000 problems.\n  line 1: ")
    assert len(caught.value.what.splitlines()) == 102
    assert caught.value.what.endswith("\n  and 9900 more")


def test_thousands_of_unknown_hyperparameters_are_listed_in_bounded_time(tmp_path):
    path = tmp_path / "c.yaml"
    path.write_text("hyperparameters:\n" + "".join(f"  epoch{n}: 1\n" for n in range(10_000)))
    with pytest.raises(ConfigError, match=r"line 2: hyperparameters\.epoch0: .*; did you mean epochs\?"):
        load(path)


def test_a_long_or_unprintable_text_is_shown_short_and_escaped(problems_of):
    assert problems_of(f"region: {'x' * 1_000}")[0].endswith(f", not {'x' * 77}...")
    assert problems_of('region: "\\e[31m"\n"a\\nb": 1') == [
        "line 1: region: must be an AWS region such as us-east-1, not '\\x1b[31m'",
        "line 2: 'a\\nb': is not a key",
    ]


_KEYS = st.sampled_from(
    [
        "target",
        "region",
        "training",
        "training:",
        "clean",
        "hyperparameters",
        "epochs",
        "instance_type",
        "<<",
        "on",
        "drop",
    ]
)
_VALUES = st.sampled_from(
    ["aws", "emulator", "5", "-1", "1e400", ".nan", "on", "null", "", "[a, b]", "{epochs: 1}", "{a: {b: {c: 1}}}", "'",
     "|", "&a 1", "*a", "!!python/object:os.x", "<mine>", "2024-01-01", "\t1", "9999999999999999999999"]
)  # fmt: skip
_LINES = st.builds("{}{}: {}".format, st.sampled_from(["", "  ", "    ", "- ", "\t"]), _KEYS, _VALUES)


@given(st.lists(_LINES, max_size=8).map("\n".join), st.lists(st.builds("{}={}".format, _KEYS, _VALUES), max_size=2))
@settings(max_examples=500, deadline=None)
def test_any_file_and_overrides_load_or_give_one_config_error(tmp_path_factory, text, overrides):
    path = tmp_path_factory.getbasetemp() / f"fuzz-{os.getpid()}.yaml"
    path.write_bytes(text.encode())
    try:
        config = load(path, overrides=overrides)
    except ConfigError as error:
        assert error.context["problems"]  # noqa: PT017 - either outcome is right, a third is not
    else:
        assert isinstance(config, Config)
