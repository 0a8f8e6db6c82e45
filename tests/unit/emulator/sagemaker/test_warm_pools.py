"""A training job's instances stay up for another one, are billed meanwhile, and end by themselves."""

import pytest

from asteroid_ll.emulator.ledger import open_intervals
from asteroid_ll.emulator.sagemaker import warm_pools
from asteroid_ll.emulator.sagemaker.call import SageMakerCall

REGION = "us-west-2"
KEPT = {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 10, "KeepAlivePeriodInSeconds": 600}


@pytest.fixture
def trained(virtual, clock, job_request):
    """Make a job that trained for 100 s and ended, without a process."""

    def make(name="job-1", *, status="Completed", step=True, resources=KEPT, **facts):
        request = {**job_request(ResourceConfig=resources)}
        jobs = virtual.services.jobs
        job = jobs.new(REGION, name, request=request, tags={"owner": "me"})
        if step:
            jobs.step(job, "Training")
        clock.s += 100
        jobs.finish(job, status, **facts)
        return name

    return make


@pytest.fixture
def pool(sagemaker):
    return lambda name="job-1": sagemaker.describe_training_job(TrainingJobName=name).get("WarmPoolStatus")


@pytest.fixture
def started(virtual, job_request):
    """Let a new job of the account look for instances; return whether it found a pool."""

    def look(name="job-2", **changes):
        request = {**job_request(ResourceConfig=KEPT), **changes}
        job = virtual.services.jobs.new(REGION, name, request=request, tags={})
        return warm_pools.reuse(SageMakerCall(virtual.services, REGION, {}), job)

    return look


def test_the_instances_are_billed_until_the_pool_ends(virtual, clock, trained, pool):
    trained()
    assert pool() == {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 0}
    training, kept = virtual.ledger()
    assert (training.kind, training.instance_seconds(clock.s)) == ("training", 200)
    clock.s += 30
    assert pool() == {"Status": "Available", "ResourceRetainedBillableTimeInSeconds": 30}
    assert (kept.kind, kept.tags, kept.instance_seconds(clock.s)) == ("warm-pool", {"owner": "me"}, 60)
    assert [interval.kind for interval in open_intervals(virtual.state)] == ["warm-pool"]
    clock.s += 1000
    assert pool() == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 600}
    assert (kept.instance_seconds(clock.s), open_intervals(virtual.state)) == (1200, [])


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "Stopped"}, "Available"),
        ({"status": "Failed", "reason": "ClientError: no rows"}, "Available"),
        ({"status": "Failed", "reason": "InternalServerError: lost"}, "Terminated"),
        ({"status": "Stopped", "step": False}, "Terminated"),
        ({"resources": {**KEPT, "KeepAlivePeriodInSeconds": 0}}, None),
    ],
    ids=["stopped", "failed", "unhealthy", "never-up", "none"],
)
def test_the_end_of_the_job_decides_whether_there_is_a_pool(trained, pool, changes, status):
    trained(**changes)
    assert (pool() or {}).get("Status") == status


def test_a_running_job_uses_its_pool(virtual, job_request, pool):
    virtual.services.jobs.new(REGION, "job-1", request=job_request(ResourceConfig=KEPT), tags={})
    assert pool() == {"Status": "InUse"}


def test_a_job_that_matches_takes_the_pool(virtual, clock, sagemaker, trained, started, pool):
    trained()
    clock.s += 30
    assert started()
    clock.s += 30
    assert pool() == {"Status": "Reused", "ResourceRetainedBillableTimeInSeconds": 30, "ReusedByJob": "job-2"}
    assert pool("job-2") == {"Status": "InUse"}
    assert [interval.kind for interval in open_intervals(virtual.state)] == ["training"]
    assert not started("job-3")
    listed = sagemaker.list_training_jobs(WarmPoolStatusEquals="Reused")["TrainingJobSummaries"]
    assert [job["TrainingJobName"] for job in listed] == ["job-1"]


@pytest.mark.parametrize(
    "changes",
    [
        {"RoleArn": "arn:aws:iam::000000000000:role/other"},
        {"ResourceConfig": {**KEPT, "InstanceCount": 1}},
        {"ResourceConfig": {**KEPT, "VolumeSizeInGB": 20}},
        {"EnableNetworkIsolation": True},
        {"EnableManagedSpotTraining": True},
    ],
    ids=["role", "count", "volume", "isolation", "spot"],
)
def test_another_job_does_not(trained, started, changes):
    trained()
    assert not started(**changes)


def test_the_period_can_be_changed_and_zero_ends_the_pool(virtual, clock, sagemaker, trained, pool, refused):
    trained()
    clock.s += 10
    sagemaker.update_training_job(TrainingJobName="job-1", ResourceConfig={"KeepAlivePeriodInSeconds": 1200})
    clock.s += 700
    assert pool()["Status"] == "Available"
    assert refused(sagemaker.delete_training_job, TrainingJobName="job-1")[0] == "ResourceInUse"
    sagemaker.update_training_job(TrainingJobName="job-1", ResourceConfig={"KeepAlivePeriodInSeconds": 0})
    assert pool() == {"Status": "Terminated", "ResourceRetainedBillableTimeInSeconds": 710}
    assert open_intervals(virtual.state) == []
    again = {"TrainingJobName": "job-1", "ResourceConfig": {"KeepAlivePeriodInSeconds": 60}}
    assert "no warm pool" in refused(sagemaker.update_training_job, **again)[1]
    sagemaker.delete_training_job(TrainingJobName="job-1")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"EnableManagedSpotTraining": True, "StoppingCondition": {"MaxWaitTimeInSeconds": 86400}}, "Validation"),
        ({}, "ResourceLimitExceeded"),
    ],
    ids=["spot", "quota"],
)
def test_a_pool_that_the_account_may_not_have_is_refused(
    virtual, bucketless, sagemaker, job_request, refused, changes, code
):
    virtual.configure(quotas={"ml.m5.large for training warm pool usage": 1})
    found, _ = refused(sagemaker.create_training_job, **{**job_request(ResourceConfig=KEPT), **changes})
    assert found.startswith(code)


@pytest.fixture
def bucketless(virtual):
    virtual.store.create_bucket("asteroids", region=REGION)
    virtual.store.put("asteroids", "in/train/part-0", [b"1,2\n"])


def test_a_job_on_a_warm_pool_starts_without_the_wait(stand_in, bucket, sagemaker, job_request, ended):
    sagemaker.create_training_job(**job_request(ResourceConfig=KEPT))
    ended()
    stand_in.configure(training_starting_s=600)
    sagemaker.create_training_job(**job_request("job-2", ResourceConfig=KEPT))
    assert ended("job-2")["WarmPoolStatus"]["Status"] == "Available"
    assert ended("job-1")["WarmPoolStatus"]["ReusedByJob"] == "job-2"
