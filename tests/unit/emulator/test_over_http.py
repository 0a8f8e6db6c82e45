"""The whole account over a loopback port, with clients of several threads and processes."""

import json
import threading

import boto3
import pytest
from botocore.config import Config

from asteroid_ll.emulator.account import Account
from asteroid_ll.emulator.transport.messages import Request
from asteroid_ll.linear_learner.images import image_uri

REGION = "us-west-2"


@pytest.fixture
def over_http(emulator, served):
    """A factory of clients that know nothing but an address."""
    address, made = f"http://127.0.0.1:{served(emulator)}", []
    session = boto3.session.Session(aws_access_key_id="any", aws_secret_access_key="body", region_name=REGION)

    def client(service):
        config = Config(retries={"total_max_attempts": 1}, max_pool_connections=8)
        made.append(session.client(service, endpoint_url=address, config=config))
        return made[-1]

    yield client
    for one in made:
        one.close()


def test_every_service_answers_at_one_address(stand_in, bucket, over_http, job_request):
    sagemaker, logs = over_http("sagemaker"), over_http("logs")
    assert over_http("sts").get_caller_identity()["Account"] == "000000000000"
    sagemaker.create_training_job(**job_request())
    sagemaker.get_waiter("training_job_completed_or_stopped").wait(
        TrainingJobName="job-1", WaiterConfig={"Delay": 0, "MaxAttempts": 10_000}
    )
    assert sagemaker.describe_training_job(TrainingJobName="job-1")["TrainingJobStatus"] == "Completed"
    assert logs.filter_log_events(logGroupName="/aws/sagemaker/TrainingJobs", logStreamNamePrefix="job-1/")["events"]
    body = over_http("s3").get_object(Bucket="asteroids", Key="out/job-1/output/model.tar.gz")["Body"]
    assert body.read(2) == b"\x1f\x8b"
    body.close()
    iam, quotas = over_http("iam"), over_http("service-quotas")
    user = iam.create_user(UserName="ada", Path="/a+b/")["User"]
    assert iam.get_user(UserName="ada")["User"] == user
    assert quotas.list_service_quotas(ServiceCode="sagemaker", QuotaCode="L-611FA074")["Quotas"]
    runtime = over_http("sagemaker-runtime")
    with pytest.raises(runtime.exceptions.ClientError, match="Endpoint none of account 000000000000 not found"):
        runtime.invoke_endpoint(EndpointName="none", Body=b"1")


def test_threads_of_one_client_do_not_disturb_each_other(emulator, bucket, over_http):
    sagemaker = over_http("sagemaker")
    container = {"Image": image_uri(REGION), "ModelDataUrl": "s3://asteroids/in/train/part-0"}
    failures = []

    def work(thread):
        try:
            for number in range(5):
                sagemaker.create_model(
                    ModelName=f"m-{thread}-{number}",
                    PrimaryContainer=container,
                    ExecutionRoleArn="arn:aws:iam::000000000000:role/r",
                )
                sagemaker.describe_model(ModelName=f"m-{thread}-{number}")
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(sagemaker.list_models(MaxResults=100)["Models"]) == 20


def _request(operation, **params):
    headers = {
        "authorization": f"AWS4-HMAC-SHA256 Credential=a/20260101/{REGION}/sagemaker/aws4_request, Signature=0",
        "x-amz-target": f"SageMaker.{operation}",
    }
    return Request("POST", "localhost", "/", headers=headers, body=json.dumps(params).encode())


def test_of_two_processes_that_create_the_same_job_one_is_refused(stand_in, bucket, job_request, ended):
    other = Account(stand_in.directory)
    answers, together = [], threading.Barrier(2)

    def create(emulator):
        for number in range(5):
            together.wait(timeout=30)
            answers.append((number, emulator.handle(_request("CreateTrainingJob", **job_request(f"job-{number}")))))

    threads = [threading.Thread(target=create, args=(emulator,)) for emulator in (stand_in, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for number in range(5):
        codes = sorted(answer.headers.get("x-amzn-ErrorType", "") for which, answer in answers if which == number)
        assert codes == ["", "ResourceInUse"]
        assert ended(f"job-{number}")["TrainingJobStatus"] == "Completed"
    assert len(stand_in.ledger()) == 5
    other.close()
