"""The fault injector of ``tests/faults``: what it breaks, and what stays whole."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError, ReadTimeoutError

from asteroid_ll.emulator.transport.in_process import attach
from asteroid_ll.emulator.transport.messages import Response

FAULTS = Path(__file__).resolve().parents[3] / "faults"


@pytest.fixture
def s3(emulator, new_session):
    """An undisturbed S3 client, with a bucket."""
    session = new_session()
    attach(session, emulator)
    client = session.client("s3")
    client.create_bucket(Bucket="rocks")
    return client


@pytest.fixture
def faulty(new_session, injector):
    """Make clients with faults, each of one attempt by default."""

    def make(emulator, faults, *, service="s3", attempts=1):
        session, injected = new_session(), injector.Injector(injector.parse_faults(faults))
        injected.attach(session, emulator)
        return session.client(service, config=Config(retries={"total_max_attempts": attempts})), injected

    return make


@pytest.fixture
def no_waiting(monkeypatch):
    waited = []
    monkeypatch.setattr("time.sleep", waited.append)
    return waited


@pytest.mark.parametrize(
    ("kind", "code", "status"),
    [
        ("throttle", "SlowDown", 503), ("500", "InternalError", 500), ("503", "ServiceUnavailable", 503),
        ("slow-down", "SlowDown", 503), ("expired-token", "ExpiredToken", 400), ("access-denied", "AccessDenied", 403),
    ],
)  # fmt: skip
def test_a_refusal_before_the_call_leaves_the_state_alone(s3, emulator, faulty, kind, code, status):
    client, _ = faulty(emulator, f"s3:PutObject:1:before:{kind}")
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket="rocks", Key="k")
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == status
    assert s3.list_objects_v2(Bucket="rocks")["KeyCount"] == 0


@pytest.mark.parametrize(
    ("kind", "error"),
    [("read-timeout", ReadTimeoutError), ("reset", ConnectionClosedError), ("500", ClientError)],
)
def test_after_the_call_the_work_is_done_and_the_answer_is_lost(s3, emulator, faulty, kind, error):
    client, _ = faulty(emulator, f"s3:PutObject:1:after:{kind}")
    with pytest.raises(error):
        client.put_object(Bucket="rocks", Key="k", Body=b"433")
    assert s3.get_object(Bucket="rocks", Key="k")["Body"].read() == b"433"


def test_a_refused_connection_is_botocores_own_error(s3, emulator, faulty):
    client, _ = faulty(emulator, "s3:*:*:before:connect-refused")
    for _ in range(2):
        with pytest.raises(EndpointConnectionError):
            client.list_buckets()


def test_only_the_nth_matching_attempt_fails(s3, emulator, faulty):
    client, injected = faulty(emulator, "s3:HeadBucket:2:before:access-denied")
    client.head_bucket(Bucket="rocks")
    client.list_buckets()
    with pytest.raises(ClientError):
        client.head_bucket(Bucket="rocks")
    client.head_bucket(Bucket="rocks")
    assert injected.calls == [("s3", name) for name in ("HeadBucket", "ListBuckets", "HeadBucket", "HeadBucket")]


def test_a_lost_answer_is_retried_by_botocore_and_sent_twice(recorder, faulty, no_waiting):
    emulator = recorder(
        Response(headers={"Content-Type": "application/x-amz-json-1.1"}, body=b'{"TrainingJobArn":"a"}')
    )
    fault = "sagemaker:StopTrainingJob:1:after:read-timeout"
    client, injected = faulty(emulator, fault, service="sagemaker", attempts=3)
    answer = client.stop_training_job(TrainingJobName="job")
    assert answer["ResponseMetadata"]["RetryAttempts"] == 1
    assert len(emulator.requests) == len(injected.calls) == 2


def test_a_throttled_json_service_says_so_in_its_own_words(recorder, faulty):
    emulator = recorder(Response())
    client, _ = faulty(emulator, "sagemaker:*:*:before:throttle", service="sagemaker")
    with pytest.raises(ClientError) as caught:
        client.list_training_jobs()
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert emulator.requests == []


def test_an_expired_token_at_sts_is_read_from_xml(recorder, faulty):
    emulator = recorder(Response())
    client, _ = faulty(emulator, "sts:*:*:before:expired-token", service="sts")
    with pytest.raises(ClientError, match=r"\(ExpiredToken\)"):
        client.get_caller_identity()


def test_a_truncated_body_is_shorter_than_promised(s3, emulator, faulty):
    from botocore.exceptions import IncompleteReadError

    s3.put_object(Bucket="rocks", Key="k", Body=bytes(1000))
    client, _ = faulty(emulator, "s3:GetObject:1:after:truncated")
    with pytest.raises(IncompleteReadError):
        client.get_object(Bucket="rocks", Key="k")["Body"].read()
    assert len(client.get_object(Bucket="rocks", Key="k")["Body"].read()) == 1000


def test_sigint_interrupts_the_call_itself(s3, emulator, faulty):
    client, _ = faulty(emulator, "s3:PutObject:1:after:sigint")
    with pytest.raises(KeyboardInterrupt):
        client.put_object(Bucket="rocks", Key="k")
    assert s3.list_objects_v2(Bucket="rocks")["KeyCount"] == 1


PROGRAM = """
import sys
from pathlib import Path
import boto3
sys.path.insert(0, sys.argv[2])
import injector
from asteroid_ll.emulator.s3.service import S3
from asteroid_ll.emulator.state import State
from asteroid_ll.emulator.s3.store import ObjectStore
from asteroid_ll.emulator.transport import in_process
injector.install(sys.argv[3])
state = State(Path(sys.argv[1]))
s3 = S3(ObjectStore(state))
class Emulator:
    def handle(self, request):
        return s3.handle(request, region="us-east-1")
session = boto3.session.Session(aws_access_key_id="a", aws_secret_access_key="s", region_name="us-east-1")
in_process.attach(session, Emulator())
client = session.client("s3")
for key in ("first", "second", "third"):
    client.put_object(Bucket="rocks", Key=key)
"""


@pytest.mark.parametrize(("phase", "keys"), [("before", ["first"]), ("after", ["first", "second"])])
def test_an_installed_fault_kills_a_process_inside_its_second_call(emulator, phase, keys):
    emulator.store.create_bucket("rocks", region="us-east-1")
    arguments = [str(emulator.state.directory), str(FAULTS), f"s3:PutObject:2:{phase}:kill"]
    program = subprocess.run([sys.executable, "-c", PROGRAM, *arguments], check=False)
    assert program.returncode == -signal.SIGKILL
    assert [stored.key for stored in emulator.store.list("rocks")] == keys


def test_faults_are_read_from_text(injector):
    assert injector.parse_faults(" s3:PutObject:2:after:kill ;; sagemaker:*:*:before:throttle;") == [
        injector.Fault("s3", "PutObject", 2, "after", "kill"),
        injector.Fault("sagemaker", "*", 0, "before", "throttle"),
    ]
    assert injector.parse_faults("") == []


@pytest.mark.parametrize(
    "text",
    ["s3:PutObject:1:before", "s3:*:x:before:500", "s3:*:1:during:500", "s3:*:1:before:fire",
     "s3:*:1:before:truncated", "s3:*:1:after:connect-refused"],
)  # fmt: skip
def test_a_fault_that_does_not_exist_is_refused(injector, text):
    with pytest.raises(ValueError, match=r"fault|unpack|literal"):
        injector.parse_faults(text)


def test_every_kind_of_the_reliability_plan_is_there(injector):
    assert set(injector.KINDS) == {
        "throttle", "500", "503", "slow-down", "connect-refused", "read-timeout", "reset", "truncated",
        "expired-token", "access-denied", "kill", "sigint", "sigterm",
        "sighup", "sigquit", "sigusr1", "sigusr2", "sigalrm", "sigxcpu",
    }  # fmt: skip
