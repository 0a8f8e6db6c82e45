"""CloudWatch's metrics of training jobs: read from their logs, by the algorithm's metric definitions.

Each metric has the dimension ``TrainingJobName``. There are no other metrics, no expressions and no percentiles.

Source: the API references of CloudWatch, and the SageMaker developer guide, "Monitor SageMaker with CloudWatch".
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asteroid_ll.emulator import cbor_protocol
from asteroid_ll.emulator.api_model import ApiModel, Authorize
from asteroid_ll.emulator.json_service import JsonService
from asteroid_ll.emulator.protocols import CBOR, JSON, protocol_of
from asteroid_ll.emulator.query_protocol import QueryService
from asteroid_ll.emulator.resources import TRAINING_JOB, Resource, Resources
from asteroid_ll.emulator.transport.messages import ApiError, Request, Response
from asteroid_ll.emulator.worker.jobs import TERMINAL
from asteroid_ll.emulator.worker.log import TRAINING_GROUP, LogStore, Reading, readings

SIGNED_FOR = "monitoring"
"""The name that requests are signed for."""

NAMESPACE = TRAINING_GROUP
DIMENSION = "TrainingJobName"
MAX_DATAPOINTS = 1_440
PAGE = 500
"""Metrics in an answer of ListMetrics."""

_SHORT_PERIODS_S = (1, 5, 10, 20, 30)
_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "SampleCount": len,
    "Average": lambda values: sum(values) / len(values),
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
}


@dataclass(frozen=True)
class MetricsCall:
    """One validated call.

    Attributes:
        resources: the account's named resources.
        logs: its log streams.
        region: the region that the request was signed for.
        params: the request's members, as the service's model names them.
    """

    resources: Resources
    logs: LogStore
    region: str
    params: Mapping[str, Any]

    def values(self, metric: Mapping[str, Any], *, statistic: str = "", period_s: int) -> dict[float, list[float]]:
        """Return the values of a metric by the start of their period, in seconds since 1970.

        Args:
            metric: its namespace, name and dimensions.
            statistic: the statistic to check; empty for none.
            period_s: the length of a period.

        Raises:
            ApiError: the period, the times or the statistic cannot be used.
        """
        start_s, end_s = self.params["StartTime"], self.params["EndTime"]
        if start_s >= end_s:
            raise _invalid("The parameter StartTime must be less than the parameter EndTime.")
        if period_s not in _SHORT_PERIODS_S and (period_s % 60 or period_s <= 0):
            raise _invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
        if statistic and statistic not in _STATISTICS:
            raise _invalid(f"The emulator has no statistic {statistic}.")
        dimensions = {item["Name"]: item.get("Value") for item in metric.get("Dimensions", [])}
        periods: dict[float, list[float]] = defaultdict(list)
        if metric.get("Namespace") == NAMESPACE and dimensions.keys() == {DIMENSION}:
            job = self.resources.get(TRAINING_JOB, self.region, dimensions[DIMENSION])
            for reading in [] if job is None else self.readings(job):
                if reading.name == metric.get("MetricName") and start_s <= reading.time_s < end_s:
                    periods[reading.time_s // period_s * period_s].append(reading.value)
        return dict(sorted(periods.items()))

    def readings(self, job: Resource) -> Iterator[Reading]:
        """Yield the metrics in a job's log; none if its role might not publish them."""
        if job.status in TERMINAL and not job.body.get("metrics"):
            return
        for stream in self.logs.stream_names(self.region, TRAINING_GROUP, prefix=f"{job.name}/algo-1-"):
            yield from readings(self.logs.lines(self.region, TRAINING_GROUP, stream))


def get_metric_statistics(call: MetricsCall) -> dict[str, Any]:
    """GetMetricStatistics."""
    params = call.params
    if params.get("ExtendedStatistics"):
        raise _invalid("The emulator has no ExtendedStatistics.")
    statistics = params.get("Statistics", [])
    if not statistics:
        raise ApiError(
            "MissingParameter", "At least one of the parameters Statistics and ExtendedStatistics is needed."
        )
    period_s = params["Period"]
    if period_s > 0 and (count := int((params["EndTime"] - params["StartTime"]) // period_s)) > MAX_DATAPOINTS:
        raise ApiError(
            "InvalidParameterCombination",
            f"You have requested up to {count:,} datapoints, which exceeds the limit of {MAX_DATAPOINTS:,}. You may "
            "reduce the datapoints requested by increasing Period, or decreasing the time range.",
        )
    points = [
        {"Timestamp": at_s, "Unit": "None"} | {name: float(_STATISTICS[name](values)) for name in statistics}
        for at_s, values in call.values(params, period_s=period_s).items()
    ]
    is_shown = params.get("Unit", "None") == "None"
    return {"Label": params["MetricName"], "Datapoints": points if is_shown else []}


def get_metric_data(call: MetricsCall) -> dict[str, Any]:
    """GetMetricData."""
    return {"MetricDataResults": [_result(call, query) for query in call.params["MetricDataQueries"]], "Messages": []}


def _result(call: MetricsCall, query: Mapping[str, Any]) -> dict[str, Any]:
    if "MetricStat" not in query or query.get("ReturnData") is False:
        raise _invalid("The emulator has no metric math: each query has a MetricStat, and no Expression.")
    wanted = query["MetricStat"]
    metric, statistic = wanted["Metric"], wanted["Stat"]
    periods = call.values(metric, statistic=statistic, period_s=wanted["Period"])
    points = [(at_s, float(_STATISTICS[statistic](values))) for at_s, values in periods.items()]
    if call.params.get("ScanBy", "TimestampDescending") == "TimestampDescending":
        points.reverse()
    return {
        "Id": query["Id"],
        "Label": query.get("Label", metric.get("MetricName")),
        "Timestamps": [at_s for at_s, _ in points],
        "Values": [value for _, value in points],
        "StatusCode": "Complete",
    }


def list_metrics(call: MetricsCall) -> dict[str, Any]:
    """ListMetrics."""
    token = call.params.get("NextToken", "0")
    if not token.isdecimal() or len(token) > 9:
        raise _invalid("Invalid NextToken.")
    start, found = int(token), [metric for metric in _metrics(call) if _matches(metric, call.params)]
    more = {"NextToken": str(start + PAGE)} if start + PAGE < len(found) else {}
    return {"Metrics": found[start : start + PAGE], **more}


def _metrics(call: MetricsCall) -> Iterator[dict[str, Any]]:
    for job in call.resources.find(TRAINING_JOB, region=call.region):
        for name in dict.fromkeys(reading.name for reading in call.readings(job)):
            yield {
                "Namespace": NAMESPACE,
                "MetricName": name,
                "Dimensions": [{"Name": DIMENSION, "Value": job.name}],
            }


def _matches(metric: Mapping[str, Any], params: Mapping[str, Any]) -> bool:
    """Return whether ListMetrics' filters let a metric pass."""
    (own,) = metric["Dimensions"]
    return (
        params.get("Namespace", NAMESPACE) == NAMESPACE
        and params.get("MetricName", metric["MetricName"]) == metric["MetricName"]
        and all(
            item["Name"] == DIMENSION and item.get("Value", own["Value"]) == own["Value"]
            for item in params.get("Dimensions", [])
        )
    )


def _invalid(message: str) -> ApiError:
    return ApiError("InvalidParameterValue", message)


SERVICE = JsonService[MetricsCall](
    "cloudwatch",
    "CloudWatch",
    target_prefix="GraniteServiceVersion20100801.",
    operations={
        "GetMetricData": get_metric_data,
        "GetMetricStatistics": get_metric_statistics,
        "ListMetrics": list_metrics,
    },
    invalid_code="ValidationError",
    missing={
        "GetMetricData": "`Expression`, percentiles; metrics other than those of training jobs; `NextToken`",
        "GetMetricStatistics": "`ExtendedStatistics`; metrics other than those of training jobs",
        "ListMetrics": "metrics other than those of training jobs",
    },
)
_QUERY = QueryService[MetricsCall]("cloudwatch", SERVICE.operations)


def handle(
    request: Request,
    *,
    model: ApiModel,
    call: Callable[[dict[str, Any]], MetricsCall],
    request_id: str,
    authorize: Authorize | None = None,
) -> Response:
    """Answer one request in the protocol of the client; CloudWatch has three.

    Raises:
        ApiError: CloudWatch would refuse the request.
    """
    protocol = protocol_of(request, SIGNED_FOR)
    if protocol == CBOR:
        return cbor_protocol.handle(SERVICE, request, model=model, call=call, authorize=authorize)
    if protocol == JSON:
        return SERVICE.handle(request, model=model, call=call, authorize=authorize)
    return _QUERY.handle(request, model=model, call=call, request_id=request_id, authorize=authorize)
