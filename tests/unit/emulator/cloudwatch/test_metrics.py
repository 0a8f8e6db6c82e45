"""CloudWatch returns the metrics in a training job's log, in each of its three protocols."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from asteroid_ll.emulator.iam.setup import Policies
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource
from asteroid_ll.emulator.transport.messages import Request
from asteroid_ll.emulator.worker.log import TRAINING_GROUP
from asteroid_ll.emulator.worker.log import TRAINING_GROUP as NAMESPACE

REGION = "us-west-2"
START_S = 1_700_000_040.0  # a full minute
LOSSES = [(0, 4.0), (20, 2.0), (59, 0.0), (60, 1.0), (185, 0.5)]
NAME = "train:objective_loss"
NOTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


def at(seconds):
    return datetime.fromtimestamp(START_S + seconds, UTC)


def log_a_job(account, name, losses=LOSSES, *, status="Completed", metrics=({},)):
    body = {"request": {}, "metrics": list(metrics)}
    job = Resource(TRAINING_JOB, REGION, name, status, START_S, START_S, body, 0)
    with account.state.transaction() as db:
        account.services.resources.save(db, job)
    lines = [
        (START_S + s, f"#quality_metric: host=algo-1, epoch={n}, train mse_objective <loss>={loss}")
        for n, (s, loss) in enumerate(losses)
    ]
    account._log_store.append(REGION, TRAINING_GROUP, f"{name}/algo-1-{int(START_S)}", lines=lines)


@pytest.fixture
def cloudwatch(virtual, client_of):
    log_a_job(virtual, "job-1")
    return client_of("cloudwatch")


def statistics(cloudwatch, *names, job="job-1", metric=NAME, **changes):
    request = {
        "Namespace": NAMESPACE,
        "MetricName": metric,
        "Dimensions": [{"Name": "TrainingJobName", "Value": job}],
        "StartTime": at(0),
        "EndTime": at(600),
        "Period": 60,
        "Statistics": list(names) or ["Average"],
        **changes,
    }
    return cloudwatch.get_metric_statistics(**{key: value for key, value in request.items() if value is not None})


def query(job="job-1", stat="Average", name=NAME, **changes):
    metric = {"Namespace": NAMESPACE, "MetricName": name, "Dimensions": [{"Name": "TrainingJobName", "Value": job}]}
    return {"Id": "q1", "MetricStat": {"Metric": metric, "Period": 60, "Stat": stat}, **changes}


def test_statistics_are_those_of_each_period(cloudwatch):
    answer = statistics(cloudwatch, "Average", "Sum", "Minimum", "Maximum", "SampleCount")
    assert answer["Label"] == NAME
    first, second, third = answer["Datapoints"]
    assert first == {
        "Timestamp": at(0),
        "Unit": "None",
        "Average": 2.0,
        "Sum": 6.0,
        "Minimum": 0.0,
        "Maximum": 4.0,
        "SampleCount": 3.0,
    }
    assert [(point["Timestamp"], point["Average"]) for point in (second, third)] == [(at(60), 1.0), (at(180), 0.5)]


def test_the_start_is_part_of_the_interval_and_the_end_is_not(cloudwatch):
    answer = statistics(cloudwatch, StartTime=at(20), EndTime=at(60))
    assert [(point["Timestamp"], point["Average"]) for point in answer["Datapoints"]] == [(at(0), 1.0)]


@pytest.mark.parametrize(
    "other",
    [{"job": "job-2"}, {"metric": "train:mse"}, {"Namespace": "mine"}, {"Dimensions": []}, {"Unit": "Seconds"}],
    ids=["job", "metric", "namespace", "dimensions", "unit"],
)
def test_another_metric_has_no_datapoints(cloudwatch, other):
    assert statistics(cloudwatch, **other)["Datapoints"] == []


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"EndTime": at(0)}, "InvalidParameterValue"),
        ({"Period": 61}, "InvalidParameterValue"),
        ({"Statistics": None}, "MissingParameter"),
        ({"ExtendedStatistics": ["p99"]}, "InvalidParameterValue"),
        ({"Period": 1, "EndTime": at(1441)}, "InvalidParameterCombination"),
    ],
    ids=["times", "period", "statistics", "percentiles", "datapoints"],
)
def test_what_cannot_be_answered_is_refused(cloudwatch, refused, changes, code):
    assert refused(lambda: statistics(cloudwatch, **changes))[0] == code


def test_metric_data_is_listed_from_the_newest_or_the_oldest(cloudwatch):
    times = {"StartTime": at(0), "EndTime": at(600)}
    (result,) = cloudwatch.get_metric_data(MetricDataQueries=[query(Label="loss")], **times)["MetricDataResults"]
    assert (result["Id"], result["Label"], result["StatusCode"]) == ("q1", "loss", "Complete")
    assert (result["Timestamps"], result["Values"]) == ([at(180), at(60), at(0)], [0.5, 1.0, 2.0])
    answer = cloudwatch.get_metric_data(MetricDataQueries=[query()], ScanBy="TimestampAscending", **times)
    assert answer["MetricDataResults"][0]["Values"] == [2.0, 1.0, 0.5]


def test_expressions_and_other_statistics_are_refused(cloudwatch, refused):
    times = {"StartTime": at(0), "EndTime": at(600)}
    for asked in ({"Id": "q1", "Expression": "1 + 1"}, query(stat="p90")):
        assert refused(cloudwatch.get_metric_data, MetricDataQueries=[asked], **times)[0] == "InvalidParameterValue"


def test_the_metrics_of_every_job_are_listed_and_filtered(cloudwatch, virtual):
    log_a_job(virtual, "job-2")
    log_a_job(virtual, "silent", metrics=())  # its role may not publish metrics
    listed = cloudwatch.list_metrics(Namespace=NAMESPACE)["Metrics"]
    assert [metric["Dimensions"][0]["Value"] for metric in listed] == ["job-1", "job-2"]
    assert {metric["MetricName"] for metric in listed} == {NAME}
    one = cloudwatch.list_metrics(Dimensions=[{"Name": "TrainingJobName", "Value": "job-2"}])["Metrics"]
    assert one == listed[1:]
    for nothing in ({"Namespace": "mine"}, {"MetricName": "x"}, {"Dimensions": [{"Name": "Host"}]}):
        assert cloudwatch.list_metrics(**nothing)["Metrics"] == []


def signed(**headers):
    scope = "Credential=AKID/20260101/us-west-2/monitoring/aws4_request"
    return {"authorization": f"AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0", **headers}


def test_older_clients_send_json_or_a_form(cloudwatch, virtual):
    body = json.dumps({"MetricDataQueries": [query()], "StartTime": START_S, "EndTime": START_S + 600}).encode()
    target = {"x-amz-target": "GraniteServiceVersion20100801.GetMetricData"}
    answer = virtual.handle(Request("POST", "localhost", "/", headers=signed(**target), body=body))
    assert json.loads(answer.body)["MetricDataResults"][0]["Values"] == [0.5, 1.0, 2.0]
    form = (
        "Action=GetMetricStatistics&Version=2010-08-01&Namespace=%2Faws%2Fsagemaker%2FTrainingJobs"
        "&MetricName=train%3Aobjective_loss&Dimensions.member.1.Name=TrainingJobName"
        "&Dimensions.member.1.Value=job-1&StartTime=2023-11-14T22%3A14%3A00Z&EndTime=2023-11-14T22%3A15%3A00Z"
        "&Period=60&Statistics.member.1=Average"
    )
    headers = signed(**{"content-type": "application/x-www-form-urlencoded"})
    answer = virtual.handle(Request("POST", "localhost", "/", headers=headers, body=form.encode()))
    assert b"<Timestamp>2023-11-14T22:14:00Z</Timestamp><Average>2.0</Average>" in answer.body


def test_a_policy_allows_or_denies_it(cloudwatch, virtual, refused):
    Policies.read(caller=[NOTHING]).apply(virtual.state)
    code, message = refused(cloudwatch.list_metrics)
    assert code == "AccessDeniedException"
    assert "not authorized to perform: cloudwatch:ListMetrics" in message
