"""The parts of a sweep that only an account shows: regions that are not enabled, listings that lag."""

from __future__ import annotations

import pytest

from asteroid_ll.aws import sweep, tags
from asteroid_ll.aws.session import Aws
from asteroid_ll.emulator.transport.messages import Response
from asteroid_ll.errors import CredentialsError, LeakError

NAME = "asteroid-ll-abc"
MODEL = {"ModelName": NAME, "ModelArn": f"arn:aws:sagemaker:us-east-1:111122223333:model/{NAME}", "CreationTime": 1}
ALL = sweep.Selection(older_than_s=0)


@pytest.fixture
def one_model(script):
    """An account with nothing but a model of ours, which stays in the listing."""
    script.on("ListEndpoints", {"Endpoints": []})
    script.on("ListTrainingJobs", {"TrainingJobSummaries": []})
    script.on("ListEndpointConfigs", {"EndpointConfigs": []})
    script.on("ListModels", {"Models": [MODEL]})
    script.on("ListTags", {"Tags": tags.to_api(tags.tags(fingerprint="abc", run="laptop"))})
    script.on("DeleteModel", {})
    script.on("S3 GET", {})


def opened(aws: Aws, regions="all"):
    return sweep.open_sweeper(aws, regions=regions, bucket=lambda _region, _account: None, prefix="p")


def swept(aws: Aws) -> sweep.Swept:
    with opened(aws, ["us-east-1"]) as sweeper:
        survey = sweeper.search()
        assert [item.name for item in survey.items] == [NAME]
        return sweeper.delete(ALL.select(survey, now_s=2.0), survey)


def test_all_regions_are_those_of_the_partition(make_aws):
    assert len(make_aws().regions()) > 30
    assert set(make_aws(region="cn-north-1").regions()) == {"cn-north-1", "cn-northwest-1"}


def test_a_region_that_the_account_has_not_enabled_is_named_and_is_no_failure(aws, script, one_model, say):
    script.on("ListModels", say.refusal("UnrecognizedClientException", "The security token is invalid."))
    with opened(aws) as sweeper:
        survey = sweeper.search()
    assert survey == sweep.Survey((), (), not_enabled=aws.regions())
    assert sweep.failure_of(survey, sweep.Swept((), ())) is None


def test_the_same_refusal_in_a_region_that_was_asked_for_is_a_failure(aws, script, one_model, say):
    script.on("ListModels", say.refusal("UnrecognizedClientException", "The security token is invalid."))
    with opened(aws, ["af-south-1"]) as sweeper:
        survey = sweeper.search()
    assert survey.not_enabled == ()
    failure = sweep.failure_of(survey, sweep.Swept((), ()))
    assert isinstance(failure, CredentialsError)
    assert "the models in af-south-1" in failure.what


def test_bad_credentials_are_found_before_any_region_is_searched(aws, script):
    body = b"<ErrorResponse><Error><Code>InvalidClientTokenId</Code><Message>no</Message></Error></ErrorResponse>"
    script.on("GetCallerIdentity", Response(403, {"Content-Type": "text/xml"}, body))
    with pytest.raises(CredentialsError), opened(aws):
        pass
    assert set(script.names()) == {"GetCallerIdentity"}


def test_a_listing_that_lags_behind_the_deletion_is_waited_for(aws, script, one_model, time_passes):
    script.on("ListModels", {"Models": [MODEL]}, {"Models": [MODEL]}, {"Models": []})
    assert [item.name for item in swept(aws).deleted] == [NAME]
    assert time_passes.now_s > 0


def test_a_deletion_that_the_listing_never_shows_is_not_believed(aws, script, one_model):
    result = swept(aws)
    assert result.deleted == ()
    (failure,) = (error for _, error in result.problems)
    assert isinstance(failure, LeakError)
    assert script.names().count("DeleteModel") == 1


def test_an_unreadable_listing_after_a_deletion_proves_nothing(aws, script, one_model, say):
    script.on("ListModels", {"Models": [MODEL]}, say.refusal("AccessDeniedException", "no"))
    result = swept(aws)
    assert result.deleted == ()
    assert "sagemaker:ListModels" in str(sweep.failure_of(sweep.Survey((), ()), result))


def test_a_model_whose_endpoint_may_exist_stays(aws, script, one_model, say):
    script.on("ListEndpoints", say.refusal("AccessDeniedException", "no"))
    ((model, failure),) = swept(aws).problems
    assert (model.kind, failure.what) == ("model", "Its endpoint may exist.")
    assert "DeleteModel" not in script.names()


def test_a_configuration_follows_the_age_of_its_endpoint():
    endpoint = sweep.Item("endpoint", "asteroid-ll-new", "us-east-1", since_s=100)
    used, orphan = (
        sweep.Item("endpoint-config", name, "us-east-1", 0) for name in ("asteroid-ll-new", "asteroid-ll-x")
    )
    survey = sweep.Survey((endpoint, used, orphan), ())
    assert sweep.Selection(older_than_s=50).select(survey, now_s=120) == (orphan,)
    assert sweep.Selection(older_than_s=50).select(survey, now_s=150) == (endpoint, used, orphan)
