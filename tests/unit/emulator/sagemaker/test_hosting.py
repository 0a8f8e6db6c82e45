"""Endpoints are created, serve, are updated and deleted by the clock, and refuse what AWS refuses."""

import gc
import weakref

import pytest

from asteroid_ll.emulator.ledger import open_intervals

ARN = "arn:aws:sagemaker:us-west-2:000000000000"


@pytest.fixture
def runtime(client_of):
    return client_of("sagemaker-runtime")


@pytest.fixture
def status(sagemaker):
    return lambda name="ep": sagemaker.describe_endpoint(EndpointName=name)["EndpointStatus"]


@pytest.fixture
def up(sagemaker, hosted, status):
    """An endpoint in service."""

    def make(name="ep", **options):
        hosted(name, **options)
        sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name)
        assert status(name) == "InService"
        return name

    return make


def test_an_endpoint_is_created_for_as_long_as_the_settings_say(
    virtual, clock, sagemaker, hosted, status, runtime, refused
):
    virtual.configure(endpoint_creating_s=60)
    hosted()
    assert sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="ep")["EndpointArn"] == f"{ARN}:endpoint/ep"
    clock.s += 59
    assert status() == "Creating"
    assert "ProductionVariants" not in sagemaker.describe_endpoint(EndpointName="ep")
    assert refused(runtime.invoke_endpoint, EndpointName="ep", Body=b"1") == (
        "ValidationError",
        "Endpoint ep of account 000000000000 not found.",
    )
    assert refused(sagemaker.delete_endpoint, EndpointName="ep")[1] == (
        f'Cannot update in-progress endpoint "{ARN}:endpoint/ep".'
    )
    clock.s += 1
    assert status() == "InService"


def test_an_endpoint_answers_from_the_model_that_it_loaded(virtual, up, runtime):
    up()
    virtual.store.put("asteroids", "out/ep/model.tar.gz", [b"another"])
    answer = runtime.invoke_endpoint(EndpointName="ep", Body=b"1,2", ContentType="text/csv", Accept="application/json")
    assert answer["Body"].read() == b"weights|text/csv|application/json|3"
    assert (answer["ContentType"], answer["InvokedProductionVariant"]) == ("application/json", "v0")


def test_a_description_names_the_variants(sagemaker, up):
    up()
    description = sagemaker.describe_endpoint(EndpointName="ep")
    (variant,) = description["ProductionVariants"]
    assert (variant["VariantName"], variant["CurrentInstanceCount"], variant["DesiredWeight"]) == ("v0", 1, 1.0)
    assert "FailureReason" not in description
    assert "DataCaptureConfig" not in description


def test_a_refusal_by_the_model_is_a_model_error_with_a_log_line(up, runtime, client_of):
    up()
    with pytest.raises(runtime.exceptions.ModelError) as caught:
        runtime.invoke_endpoint(EndpointName="ep", Body=b"bad", ContentType="text/csv")
    answer = caught.value.response
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 424
    assert answer["OriginalStatusCode"] == 400
    assert answer["OriginalMessage"] == "unable to evaluate payload provided"
    assert answer["Error"]["Message"].startswith(
        'Received client error (400) from model with message "unable to evaluate payload provided". See https://'
    )
    assert answer["Error"]["Message"].endswith("in account 000000000000 for more information.")
    events = client_of("logs").filter_log_events(logGroupName="/aws/sagemaker/Endpoints/ep")["events"]
    assert events[0]["message"].startswith("Customer Error: The feature dimension")


def test_a_body_above_the_limit_is_refused(up, runtime, refused):
    up()
    runtime.invoke_endpoint(EndpointName="ep", Body=b"x" * 6_291_456)
    code, message = refused(runtime.invoke_endpoint, EndpointName="ep", Body=b"x" * 6_291_457)
    assert code == "ValidationError"
    assert "less than or equal to 6291456" in message


def test_a_target_variant_is_chosen_and_weights_share_the_rest(up, runtime, refused):
    up(variants=2)
    asked = runtime.invoke_endpoint(EndpointName="ep", Body=b"1", TargetVariant="v1")
    assert asked["InvokedProductionVariant"] == "v1"
    drawn = {runtime.invoke_endpoint(EndpointName="ep", Body=b"1")["InvokedProductionVariant"] for _ in range(40)}
    assert drawn == {"v0", "v1"}
    assert refused(runtime.invoke_endpoint, EndpointName="ep", Body=b"1", TargetVariant="v9")[0] == "ValidationError"


def test_an_artifact_that_cannot_be_loaded_fails_the_endpoint(virtual, sagemaker, hosted):
    hosted(text="broken")
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="ep")
    description = sagemaker.describe_endpoint(EndpointName="ep")
    assert description["EndpointStatus"] == "Failed"
    assert description["FailureReason"] == (
        "The primary container for production variant v0 did not pass the ping health check. Please check CloudWatch "
        "logs for this endpoint."
    )
    assert open_intervals(virtual.state) == []
    sagemaker.delete_endpoint(EndpointName="ep")


def test_an_artifact_that_is_gone_fails_the_endpoint(virtual, sagemaker, hosted):
    hosted()
    virtual.store.delete("asteroids", "out/ep/model.tar.gz")
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="ep")
    description = sagemaker.describe_endpoint(EndpointName="ep")
    assert description["EndpointStatus"] == "Failed"
    assert description["FailureReason"].startswith(
        'Failed to download model data for container "container_1" from URL:'
    )


def test_deleting_takes_its_time_and_the_bill_ends_with_it(virtual, clock, sagemaker, up, status, runtime, refused):
    virtual.configure(endpoint_deleting_s=30)
    up()
    clock.s += 100
    sagemaker.delete_endpoint(EndpointName="ep")
    assert status() == "Deleting"
    assert len(open_intervals(virtual.state)) == 1
    assert refused(runtime.invoke_endpoint, EndpointName="ep", Body=b"1")[0] == "ValidationError"
    clock.s += 30
    assert refused(sagemaker.describe_endpoint, EndpointName="ep") == (
        "ValidationException",
        f'Could not find endpoint "{ARN}:endpoint/ep".',
    )
    (interval,) = virtual.ledger()
    assert interval.instance_seconds(clock.s) == 130
    assert open_intervals(virtual.state) == []


def test_without_a_delay_a_deleted_endpoint_is_gone_at_the_next_call(virtual, sagemaker, up, refused):
    up()
    sagemaker.delete_endpoint(EndpointName="ep")
    assert open_intervals(virtual.state) == []
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert refused(sagemaker.delete_endpoint, EndpointName="ep")[1] == f'Could not find endpoint "{ARN}:endpoint/ep".'


def test_names_are_unique(sagemaker, up, refused):
    up()
    code, message = refused(sagemaker.create_endpoint, EndpointName="ep", EndpointConfigName="ep")
    assert (code, message) == ("ValidationException", f'Cannot create already existing endpoint "{ARN}:endpoint/ep".')


def test_an_endpoint_needs_its_configuration(virtual, sagemaker, refused):
    assert refused(sagemaker.create_endpoint, EndpointName="ep", EndpointConfigName="none")[1] == (
        f'Could not find endpoint configuration "{ARN}:endpoint-config/none".'
    )


def test_an_endpoint_outlives_its_configuration(virtual, clock, sagemaker, up, runtime, refused):
    up()
    sagemaker.delete_endpoint_config(EndpointConfigName="ep")
    assert refused(sagemaker.describe_endpoint_config, EndpointConfigName="ep")[1] == (
        f'Could not find endpoint configuration "{ARN}:endpoint-config/ep".'
    )
    assert sagemaker.describe_endpoint(EndpointName="ep")["EndpointConfigName"] == "ep"
    assert runtime.invoke_endpoint(EndpointName="ep", Body=b"1")["Body"].read().startswith(b"weights")
    assert [interval.ended_s for interval in virtual.ledger()] == [None]
    sagemaker.delete_endpoint(EndpointName="ep")
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert open_intervals(virtual.state) == []


def test_an_endpoint_comes_up_without_the_configuration_that_it_was_created_from(
    virtual, clock, sagemaker, hosted, status
):
    virtual.configure(endpoint_creating_s=60)
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName=hosted())
    sagemaker.delete_endpoint_config(EndpointConfigName="ep")
    clock.s += 60
    assert status() == "InService"


def test_an_update_serves_the_old_model_until_the_new_one_is_up(virtual, clock, sagemaker, up, hosted, status, runtime):
    up()
    hosted("next", text="better", instance_type="ml.c5.large")
    virtual.configure(endpoint_creating_s=60)
    sagemaker.update_endpoint(EndpointName="ep", EndpointConfigName="next")
    assert status() == "Updating"
    assert runtime.invoke_endpoint(EndpointName="ep", Body=b"1")["Body"].read().startswith(b"weights")
    clock.s += 60
    assert status() == "InService"
    assert runtime.invoke_endpoint(EndpointName="ep", Body=b"1")["Body"].read().startswith(b"better")
    assert sagemaker.describe_endpoint(EndpointName="ep")["EndpointConfigName"] == "next"
    assert [(i.instance_type, i.ended_s) for i in virtual.ledger()] == [("ml.m5.large", clock.s), ("ml.c5.large", None)]
    sagemaker.delete_endpoint_config(EndpointConfigName="ep")


def test_an_update_to_a_broken_model_rolls_back(sagemaker, up, hosted, runtime):
    up()
    hosted("next", text="broken")
    sagemaker.update_endpoint(EndpointName="ep", EndpointConfigName="next")
    description = sagemaker.describe_endpoint(EndpointName="ep")
    assert (description["EndpointStatus"], description["EndpointConfigName"]) == ("InService", "ep")
    assert "ping health check" in description["FailureReason"]
    assert runtime.invoke_endpoint(EndpointName="ep", Body=b"1")["Body"].read().startswith(b"weights")


def test_a_quota_of_zero_refuses_in_the_words_of_aws(virtual, sagemaker, hosted, refused):
    virtual.configure(quotas={"ml.m5.large for endpoint usage": 0})
    hosted()
    code, message = refused(sagemaker.create_endpoint, EndpointName="ep", EndpointConfigName="ep")
    assert code == "ResourceLimitExceeded"
    assert message.startswith(
        "The account-level service limit 'ml.m5.large for endpoint usage' is 0 Instances, with current utilization of "
        "0 Instances and a request delta of 1 Instances."
    )


def test_a_new_endpoint_can_be_invisible_for_a_while(virtual, sagemaker, hosted, refused, status):
    hosted()
    virtual.configure(invisible_polls=1)
    sagemaker.create_endpoint(EndpointName="ep", EndpointConfigName="ep")
    assert refused(sagemaker.describe_endpoint, EndpointName="ep")[1].startswith("Could not find endpoint")
    assert status() == "InService"


def test_endpoints_are_listed_by_page_status_and_name(virtual, sagemaker, up, clock):
    for number in range(3):
        up(f"ep{number}")
        clock.s += 1
    pages = sagemaker.get_paginator("list_endpoints").paginate(PaginationConfig={"PageSize": 1})
    assert [e["EndpointName"] for page in pages for e in page["Endpoints"]] == ["ep2", "ep1", "ep0"]
    assert sagemaker.list_endpoints(StatusEquals="Failed")["Endpoints"] == []
    assert len(sagemaker.list_endpoints(NameContains="P1")["Endpoints"]) == 1


def test_an_endpoint_outlives_the_process_that_made_it(virtual, front, up, runtime, tmp_path, clock):
    up()
    virtual.close()
    front.emulator = type(virtual)(tmp_path / "virtual", clock=lambda: clock.s, loader=front.loader)
    assert runtime.invoke_endpoint(EndpointName="ep", Body=b"1")["Body"].read().startswith(b"weights")
    front.emulator.close()


@pytest.fixture
def loaded(virtual):
    """Weak references to the models that are loaded at this moment."""
    return lambda: [weakref.ref(scorer) for scorer in virtual.services.loaded_models.values()]


def freed(references):
    gc.collect()
    return [reference() is None for reference in references]


def test_a_deleted_endpoint_frees_its_model(sagemaker, up, loaded):
    up("kept")
    up("ep")
    assert freed(references := loaded()) == [False, False]
    sagemaker.delete_endpoint(EndpointName="ep")
    assert freed(references) == [False, True]


def test_an_update_frees_the_model_that_it_replaces(sagemaker, up, hosted, status, loaded):
    up()
    references = loaded()
    hosted("next", text="better")
    sagemaker.update_endpoint(EndpointName="ep", EndpointConfigName="next")
    assert freed(references) == [False]
    assert status() == "InService"
    assert freed(references) == [True]
    assert freed(loaded()) == [False]


def test_an_update_that_rolls_back_keeps_only_the_model_that_serves(sagemaker, up, hosted, status, loaded):
    up()
    before = loaded()
    hosted("next", text="broken")
    sagemaker.update_endpoint(EndpointName="ep", EndpointConfigName="next")
    assert status() == "InService"
    assert freed(before) == [False]
    assert loaded() == before


def test_an_endpoint_that_another_process_deleted_frees_its_model(virtual, sagemaker, up, loaded, clock):
    up()
    references = loaded()
    other = type(virtual)(virtual.directory, clock=lambda: clock.s)
    endpoint = other.services.resources.get("endpoint", "us-west-2", "ep")
    with other.state.transaction() as db:
        other.services.resources.delete(db, endpoint)
    other.close()
    sagemaker.list_endpoints()
    assert freed(references) == [True]


@pytest.mark.parametrize("end", ["reset", "close"])
def test_a_reset_and_a_close_free_every_model(virtual, up, loaded, end):
    up()
    references = loaded()
    getattr(virtual, end)()
    assert freed(references) == [True]
