"""The companion of another emulator: our own one, served by another process, has the buckets."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import boto3
import numpy as np
import pytest
from botocore.config import Config

from asteroid_ll.emulator import other_s3
from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.buckets import buckets_of
from asteroid_ll.emulator.companion import SERVICES, exports, find_other, join
from asteroid_ll.emulator.processes import reap_children
from asteroid_ll.emulator.state import OtherS3, State
from asteroid_ll.emulator.transport.messages import ApiError
from asteroid_ll.emulator.transport.server import serving
from asteroid_ll.emulator.worker.checkpoints import Checkpoints
from asteroid_ll.emulator.worker.files import DownloadError, input_objects, prepare
from asteroid_ll.errors import ConfigError
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.linear_learner.model import Model

REGION = "us-west-2"
ACCOUNT = "000000000000"
NOBODY = "http://127.0.0.1:9"


def post(url):
    with urllib.request.urlopen(urllib.request.Request(url, method="POST"), timeout=10) as answer:
        return json.load(answer)


@contextmanager
def http_answer(status, body):
    """Serve a server that answers everything with the same response; yield its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Location", NOBODY)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def do_HEAD(self):
            self.do_GET()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The address of the other emulator, which one process serves for all tests."""
    state = tmp_path_factory.mktemp("other") / "state"
    server = subprocess.Popen(
        [sys.executable, "-m", "asteroid_ll", "emulator", "serve", "--port", "0", "--state", str(state)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    yield server.stdout.readline().strip().partition("=")[2]
    server.terminate()
    server.communicate(timeout=30)


@pytest.fixture(scope="module")
def client(url):
    config = Config(retries={"total_max_attempts": 1})
    with closing(boto3.Session("any", "any", region_name=REGION).client("s3", endpoint_url=url, config=config)) as s3:
        yield s3


@pytest.fixture
def s3(url, client):
    """A client of the other emulator, which has a bucket with one training object."""
    assert post(f"{url}/_asteroid-ll/reset") == {"status": "ok"}
    client.create_bucket(Bucket="asteroids", CreateBucketConfiguration={"LocationConstraint": REGION})
    client.put_object(Bucket="asteroids", Key="in/train/part-0", Body=b"theirs")
    return client


@pytest.fixture
def companion(tmp_path, front, client_of):
    """Make a companion with the stand-in container, in front of which the clients are."""
    made = []

    def make(url, account_id=ACCOUNT):
        join(tmp_path / "companion", OtherS3(url, account_id))
        made.append(Account(tmp_path / "companion", loader=front.loader))
        front.emulator = made[-1]
        return made[-1]

    yield make
    for account in made:
        account.reset()
        account.close()
    reap_children()
    front.emulator = None


@pytest.fixture
def buckets(s3, url, tmp_path):
    """The other emulator's buckets, as a job's worker sees them."""
    join(tmp_path / "companion", OtherS3(url, ACCOUNT))
    return buckets_of(State(tmp_path / "companion"), REGION, scratch=tmp_path)


def log_of(client_of, name):
    logs = client_of("logs")
    group = "/aws/sagemaker/TrainingJobs"
    (stream,) = logs.describe_log_streams(logGroupName=group, logStreamNamePrefix=name)["logStreams"]
    events = logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"])["events"]
    return "\n".join(event["message"] for event in events)


def test_a_job_reads_and_writes_the_other_buckets_and_never_stale_objects(
    companion, container, s3, url, client_of, sagemaker, job_request, ended, monkeypatch, tmp_path
):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "never-in-a-container")
    account, go = companion(url), tmp_path / "go"
    account.configure(container_command=container)
    account.store.create_bucket("asteroids", region=REGION)
    account.store.put("asteroids", "in/train/part-0", [b"ours"])
    sagemaker.create_training_job(**job_request(HyperParameters={"wish": "layout, environment"}))
    assert ended()["TrainingJobStatus"] == "Completed"
    log = log_of(client_of, "job-1")
    assert '"input/data/train/part-0": "theirs"' in log
    assert '"CURRENT_HOST": "algo-1"' in log
    assert "never-in-a-container" not in log
    assert s3.head_object(Bucket="asteroids", Key="out/job-1/output/model.tar.gz")["ContentLength"] > 0
    assert [item.key for item in account.store.list("asteroids")] == ["in/train/part-0"]

    s3.put_object(Bucket="asteroids", Key="in/train/part-0", Body=b"replaced")
    waiting = {"wish": "until, layout", "path": str(go)}
    sagemaker.create_training_job(**job_request("job-2", HyperParameters=waiting))
    ended("job-2", until=lambda job: job["SecondaryStatus"] == "Training")
    for key in ("in/train/part-0", "out/job-1/output/model.tar.gz"):
        s3.delete_object(Bucket="asteroids", Key=key)
    s3.delete_bucket(Bucket="asteroids")
    go.touch()
    refusal = (
        "Unable to upload s3://asteroids/out/job-2/output/model.tar.gz (NoSuchBucket: The specified bucket does not "
    )
    assert ended("job-2")["FailureReason"] == f"ClientError: Artifact upload failed: {refusal}exist)"
    assert '"input/data/train/part-0": "replaced"' in log_of(client_of, "job-2")
    assert list(account.directory.glob("jobs/*/job-2/output/model.tar.gz"))
    assert not list(account.directory.glob("jobs/*/*/download-*"))
    assert not list(account.directory.glob("jobs/*/*/input/data/*"))


def test_a_job_that_cannot_reach_the_other_s3_fails_with_the_reason(
    companion, s3, url, sagemaker, job_request, ended, monkeypatch
):
    account = companion(url)
    assert account.services.buckets(REGION).has("asteroids", REGION)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("HTTP_PROXY", NOBODY)  # for the worker, whose client is made after this
    sagemaker.create_training_job(**job_request())
    reason = ended()["FailureReason"]
    assert reason.startswith("ClientError: Data download failed: Unable to list s3://asteroids/in/train (ServiceUnava")
    assert f"The S3 at {url} cannot be used: " in reason


def test_what_the_other_s3_does_not_have_is_refused_when_the_job_is_created(
    companion, s3, url, sagemaker, job_request, refused
):
    companion(url)
    with closing(boto3.Session("any", "any", region_name="us-east-1").client("s3", endpoint_url=url)) as elsewhere:
        elsewhere.create_bucket(Bucket="westward")
    s3.put_object(Bucket="asteroids", Key="folder/", Body=b"")
    places = ("westward/in", "nowhere/in", "asteroids/none", "asteroids/folder/")
    for place in places:
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{place}"}
        channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
        code, message = refused(sagemaker.create_training_job, **job_request(InputDataConfig=[channel]))
        assert code == "ValidationException"
        assert message.startswith(f'No S3 objects found under S3 URL "s3://{place}" given in input data source.')
        output = {"S3OutputPath": f"s3://{place}"}
        if not place.startswith("asteroids"):
            assert "cannot be used" in refused(sagemaker.create_training_job, **job_request(OutputDataConfig=output))[1]


def test_a_bucket_of_another_account_is_refused(companion, s3, url, sagemaker, job_request, refused):
    companion(url, "111122223333")
    role = "arn:aws:iam::111122223333:role/trainer"
    code, message = refused(sagemaker.create_training_job, **job_request(RoleArn=role))
    assert (code, message[:20]) == ("ValidationException", "No S3 objects found ")
    assert "Could not assume role" in refused(sagemaker.create_training_job, **job_request())[1]


def test_the_account_is_in_every_arn(companion, s3, url, client_of, sagemaker, monkeypatch):
    account = companion(url, "111122223333")
    monkeypatch.setattr(account.services.buckets(REGION), "_owner", {"ExpectedBucketOwner": ACCOUNT})
    container = {"Image": image_uri(REGION), "ModelDataUrl": "s3://asteroids/in/train/part-0"}
    arn = "arn:aws:sagemaker:us-west-2:111122223333:model/rocks"
    role = "arn:aws:iam::111122223333:role/trainer"
    tags = [{"Key": "mission", "Value": "hera"}]
    made = sagemaker.create_model(ModelName="rocks", PrimaryContainer=container, ExecutionRoleArn=role, Tags=tags)
    assert made["ModelArn"] == sagemaker.describe_model(ModelName="rocks")["ModelArn"] == arn
    assert sagemaker.list_tags(ResourceArn=arn)["Tags"] == tags
    assert client_of("sts").get_caller_identity()["Account"] == "111122223333"


def test_requests_for_objects_are_refused_with_the_address_of_the_other_emulator(companion, client_of, refused):
    companion(NOBODY)
    code, message = refused(client_of("s3").list_buckets)
    assert code == "UnknownOperationException"
    assert message == f"This emulator has no buckets. They are at {NOBODY} (AWS_ENDPOINT_URL_S3)."


def test_an_s3_that_is_down_or_silent_is_named_within_the_time_limit(
    companion, sagemaker, job_request, refused, monkeypatch
):
    companion(NOBODY)
    code, message = refused(sagemaker.create_training_job, **job_request())
    assert code == "ServiceUnavailable"
    assert message.startswith(f"The S3 at {NOBODY} cannot be used: Could not connect")
    monkeypatch.setattr(other_s3, "TIMEOUTS_S", (0.1, 0.1))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        companion(f"http://127.0.0.1:{silent.getsockname()[1]}")
        begun_s = time.monotonic()
        code, message = refused(sagemaker.create_training_job, **job_request())
        assert time.monotonic() - begun_s < 5
    assert (code, "Read timeout" in message) == ("ServiceUnavailable", True)


def test_a_slow_s3_does_not_delay_other_calls(companion, job_request):
    is_asked, may_answer = threading.Event(), threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_HEAD(self):
            is_asked.set()
            may_answer.wait(8)
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        account = companion(f"http://127.0.0.1:{server.server_port}")
        with serving(account) as port, ThreadPoolExecutor(1) as pool:
            session = boto3.Session("any", "any", region_name=REGION)
            sagemaker = session.client("sagemaker", endpoint_url=f"http://127.0.0.1:{port}")
            creation = pool.submit(sagemaker.create_training_job, **job_request())
            assert is_asked.wait(8)
            jobs = sagemaker.list_training_jobs()["TrainingJobSummaries"]
            is_answered_meanwhile = not creation.done()
            may_answer.set()
            refusal = creation.exception()
            sagemaker.close()
        server.shutdown()
    assert (jobs, is_answered_meanwhile) == ([], True)
    assert "No S3 objects found" in str(refusal)


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (301, b"", "ValidationException"),  # a bucket of another region, as far as HEAD shows
        (307, b"", "ServiceUnavailable"),
        (500, b"<html>Oops</html>", "ServiceUnavailable"),
        (503, b"", "ServiceUnavailable"),
        (200, b"not XML", "ServiceUnavailable"),
    ],
)
def test_an_s3_that_redirects_fails_or_answers_nonsense_is_named(
    status, body, code, companion, sagemaker, job_request, refused
):
    with http_answer(status, body) as other:
        companion(other)
        answered, message = refused(sagemaker.create_training_job, **job_request())
    assert answered == code
    if code == "ServiceUnavailable":
        assert message.startswith(f"The S3 at {other} cannot be used: ")


def test_an_endpoint_and_a_batch_transform_use_the_other_buckets(companion, s3, url, client_of, sagemaker, tmp_path):
    companion(url)
    Model("regressor", "squared_loss", np.array([[10]], np.float32), np.zeros(1, np.float32)).save(
        tmp_path / "m.tar.gz"
    )
    s3.upload_file(str(tmp_path / "m.tar.gz"), "asteroids", "m.tar.gz")
    s3.put_object(Bucket="asteroids", Key="rows/a.csv", Body=b"1\n2\n")
    image = {"Image": image_uri(REGION), "ModelDataUrl": "s3://asteroids/m.tar.gz"}
    role = f"arn:aws:iam::{ACCOUNT}:role/trainer"
    sagemaker.create_model(ModelName="rocks", PrimaryContainer=image, ExecutionRoleArn=role)
    rows = {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://asteroids/rows/"}}
    sagemaker.create_transform_job(
        TransformJobName="score",
        ModelName="rocks",
        TransformInput={"ContentType": "text/csv", "SplitType": "Line", "DataSource": rows},
        TransformOutput={
            "S3OutputPath": "s3://asteroids/out",
            "AssembleWith": "Line",
            "Accept": "application/jsonlines",
        },
        TransformResources={"InstanceType": "ml.m5.large", "InstanceCount": 1},
    )
    variant = {"VariantName": "v", "ModelName": "rocks", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}
    sagemaker.create_endpoint_config(EndpointConfigName="rocks", ProductionVariants=[variant])
    sagemaker.create_endpoint(EndpointName="rocks", EndpointConfigName="rocks")
    answer = client_of("sagemaker-runtime").invoke_endpoint(EndpointName="rocks", ContentType="text/csv", Body="2")
    assert json.load(answer["Body"]) == {"predictions": [{"score": 20.0}]}
    limit_s = time.monotonic() + 30
    while (job := sagemaker.describe_transform_job(TransformJobName="score"))["TransformJobStatus"] == "InProgress":
        assert time.monotonic() < limit_s
        time.sleep(0.01)
    assert job["TransformJobStatus"] == "Completed", job["FailureReason"]
    scores = s3.get_object(Bucket="asteroids", Key="out/a.csv.out")["Body"].read().splitlines()
    assert [json.loads(line)["score"] for line in scores] == [10.0, 20.0]
    s3.delete_object(Bucket="asteroids", Key="m.tar.gz")
    sagemaker.create_endpoint(EndpointName="gone", EndpointConfigName="rocks")
    assert sagemaker.describe_endpoint(EndpointName="gone")["FailureReason"].startswith("Failed to download model data")


def test_a_manifest_lists_the_other_objects_in_its_order(buckets, s3, tmp_path):
    for name in ("b", "a"):
        s3.put_object(Bucket="asteroids", Key=f"rows/{name}.csv", Body=name.encode())
    s3.put_object(Bucket="asteroids", Key="lists/m", Body=b'[{"prefix": "s3://asteroids/rows/"}, "b.csv", "a.csv"]')
    source = {"S3DataType": "ManifestFile", "S3Uri": "s3://asteroids/lists/m"}
    assert [found.path for found in input_objects(source, buckets)] == ["b.csv", "a.csv"]
    channel = {"ChannelName": "train", "DataSource": {"S3DataSource": source}}
    for mode in ("File", "FastFile", "Pipe"):
        request = {
            "AlgorithmSpecification": {"TrainingInputMode": mode},
            "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1},
            "InputDataConfig": [channel],
        }
        streams = prepare(tmp_path / mode, request, host="algo-1", store=buckets)
        folder = tmp_path / mode / "input/data/train"
        files = streams["train"](0) if mode == "Pipe" else [folder / "b.csv", folder / "a.csv"]
        assert [path.read_text() for path in files] == ["b", "a"]


def test_an_object_that_is_deleted_after_the_listing_fails_with_awss_words(buckets, s3):
    (item,) = buckets.list("asteroids", "in/train")
    s3.delete_object(Bucket="asteroids", Key=item.key)
    with pytest.raises(ApiError, match="NoSuchKey: The specified key does not exist"):
        buckets.file_of(item)
    with pytest.raises(
        DownloadError, match=r"Unable to list s3://gone \(NoSuchBucket: The specified bucket does not ex"
    ):
        input_objects({"S3DataType": "S3Prefix", "S3Uri": "s3://gone"}, buckets)


def test_checkpoints_are_kept_in_the_other_bucket_and_survive_a_refusal(buckets, s3, tmp_path):
    config = {"S3Uri": "s3://asteroids/checkpoints"}
    first, second = tmp_path / "first", tmp_path / "second"
    checkpoints = Checkpoints(config, store=buckets)
    checkpoints.download([first])
    (first / "checkpoints/epoch").write_text("1")
    assert checkpoints.upload([first]) == ""
    Checkpoints(config, store=buckets).download([second])
    assert (second / "checkpoints/epoch").read_text() == "1"
    elsewhere = Checkpoints({"S3Uri": "s3://nowhere/checkpoints"}, store=buckets)
    assert elsewhere.upload([first]).startswith("NoSuchBucket")
    assert elsewhere.upload([first]) == ""  # it waits before the next try
    assert elsewhere.upload([first], is_last=True).startswith("NoSuchBucket")


def test_a_reset_of_the_companion_leaves_the_other_buckets(companion, s3, url, sagemaker):
    account = companion(url)
    image = {"Image": image_uri(REGION), "ModelDataUrl": "s3://asteroids/in/train/part-0"}
    role = f"arn:aws:iam::{ACCOUNT}:role/trainer"
    sagemaker.create_model(ModelName="rocks", PrimaryContainer=image, ExecutionRoleArn=role)
    with serving(account) as port:
        assert post(f"http://127.0.0.1:{port}/_asteroid-ll/reset") == {"status": "ok"}
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/_asteroid-ll/reset", timeout=10)
        refusal.value.close()
        assert refusal.value.code == 405
        hostile = urllib.request.Request(
            f"http://127.0.0.1:{port}/_asteroid-ll/reset", method="POST", headers={"Origin": "http://evil.example"}
        )
        with pytest.raises(urllib.error.HTTPError) as refusal:
            urllib.request.urlopen(hostile, timeout=10)
        refusal.value.close()
        assert refusal.value.code == 403
    assert sagemaker.list_models()["Models"] == []
    assert account.state.other_s3 is not None
    assert s3.list_objects_v2(Bucket="asteroids")["KeyCount"] == 1


def test_the_account_is_that_of_the_other_sts(url, tmp_path):
    assert find_other(f"{url}/", None) == (OtherS3(url, ACCOUNT), True)
    assert find_other(url, "111122223333") == (OtherS3(url, "111122223333"), True)
    assert find_other(NOBODY, ACCOUNT) == (OtherS3(NOBODY, ACCOUNT), True)
    for arguments, words in (
        ((NOBODY, None), "does not answer, so its account is unknown"),
        (("127.0.0.1:9", None), "is not the URL of an S3"),
        (("http://127.0.0.1:99999", None), "is not the URL of an S3"),
        (("http://[::1", None), "is not the URL of an S3"),
        ((url, "12"), "is not an account's 12 digits"),
    ):
        with pytest.raises(ConfigError, match=words):
            find_other(*arguments)


def test_the_exports_lead_to_sts_where_it_is():
    other, own = OtherS3("http://127.0.0.1:5000", ACCOUNT), "http://127.0.0.1:4599"
    with_sts, without = (dict(line.split("=") for line in exports(own, other, has)) for has in (True, False))
    assert with_sts == {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:5000",
        "AWS_ENDPOINT_URL_SAGEMAKER": own,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": own,
        "AWS_ENDPOINT_URL_CLOUDWATCH_LOGS": own,
    }
    assert without == {**with_sts, "AWS_ENDPOINT_URL": own}


def test_the_exports_have_botocores_service_ids(client_of):
    services = ("sagemaker", "sagemaker-runtime", "logs")
    ids = [client_of(name).meta.service_model.service_id for name in services]
    assert [name.upper().replace(" ", "_") for name in ids] == list(SERVICES)


def test_a_directory_stays_a_companion_of_one_account(tmp_path):
    own = tmp_path / "own"
    State(own).close()
    with State(own).transaction():
        pass
    with pytest.raises(ConfigError, match="has buckets of its own"):
        join(own, OtherS3(NOBODY, ACCOUNT))
    join(tmp_path / "new", OtherS3(NOBODY, ACCOUNT))
    join(tmp_path / "new", OtherS3("http://127.0.0.1:10", ACCOUNT))
    assert State(tmp_path / "new").other_s3 == OtherS3("http://127.0.0.1:10", ACCOUNT)
    with pytest.raises(ConfigError, match=f"belongs to account {ACCOUNT}"):
        join(tmp_path / "new", OtherS3(NOBODY, "111122223333"))


def test_an_address_of_this_machine_needs_no_credentials_and_another_one_does(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, os.devnull)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for place, key in (("127.0.0.1", other_s3.DUMMY), ("192.0.2.1", None)):
        credentials = other_s3.client_for(f"http://{place}:9", "sts", REGION)._get_credentials()
        assert (credentials and credentials.access_key) == key
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    assert other_s3.client_for(NOBODY, "sts", REGION)._get_credentials().access_key == "AKIDEXAMPLE"
