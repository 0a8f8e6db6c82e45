"""The pytest plugin as another project uses it: a folder of its own, a conftest of one line, short tests."""

import os
import subprocess
import sys
import textwrap

from asteroid_ll.linear_learner.images import image_uri

TRAIN_AND_INVOKE = f'''
    import boto3, io

    ROLE, IMAGE = "arn:aws:iam::000000000000:role/r", "{image_uri("us-east-1")}"

    def train(session):
        """The code under test."""
        s3, sagemaker = session.client("s3"), session.client("sagemaker")
        s3.create_bucket(Bucket="data")
        s3.put_object(Bucket="data", Key="train/rows.csv", Body="1,2.5\\n0,-1.5\\n" * 500)
        source = {{"S3DataSource": {{"S3DataType": "S3Prefix", "S3Uri": "s3://data/train"}}}}
        sagemaker.create_training_job(
            TrainingJobName="job", RoleArn=ROLE,
            AlgorithmSpecification={{"TrainingImage": IMAGE, "TrainingInputMode": "File"}},
            HyperParameters={{"predictor_type": "binary_classifier", "mini_batch_size": "100", "epochs": "2"}},
            InputDataConfig=[{{"ChannelName": "train", "ContentType": "text/csv", "DataSource": source}}],
            OutputDataConfig={{"S3OutputPath": "s3://data/out"}},
            ResourceConfig={{"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}},
            StoppingCondition={{"MaxRuntimeInSeconds": 600}})
        sagemaker.get_waiter("training_job_completed_or_stopped").wait(TrainingJobName="job")
        return sagemaker.describe_training_job(TrainingJobName="job")

    def deploy(session, artifact):
        sagemaker = session.client("sagemaker")
        container = {{"Image": IMAGE, "ModelDataUrl": artifact}}
        sagemaker.create_model(ModelName="m", PrimaryContainer=container, ExecutionRoleArn=ROLE)
        variant = {{"VariantName": "v", "ModelName": "m", "InstanceType": "ml.m5.large", "InitialInstanceCount": 1}}
        sagemaker.create_endpoint_config(EndpointConfigName="c", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName="e", EndpointConfigName="c")
        sagemaker.get_waiter("endpoint_in_service").wait(EndpointName="e")

    def invoke(session, rows):
        runtime = session.client("sagemaker-runtime")
        return runtime.invoke_endpoint(EndpointName="e", Body=rows, ContentType="text/csv")["Body"].read().decode()
'''

IN_PROCESS = """
    from code_under_test import deploy, invoke, train

    def test_a_job_completes(sagemaker_emulator):
        job = train(sagemaker_emulator.session())
        assert job["TrainingJobStatus"] == "Completed"
        assert [interval.instance_type for interval in sagemaker_emulator.ledger()] == ["ml.m5.large"]

    def test_an_endpoint_answers(sagemaker_emulator):
        session = sagemaker_emulator.session()
        deploy(session, train(session)["ModelArtifacts"]["S3ModelArtifacts"])
        assert '"predicted_label": 1' in invoke(session, "3.0")
        assert '"predicted_label": 0' in invoke(session, "-3.0")
"""

SERVED = """
    import boto3, subprocess, sys
    from code_under_test import deploy, invoke, train

    def test_clients_find_the_url_in_the_environment(sagemaker_emulator_url):
        deploy(boto3, train(boto3)["ModelArtifacts"]["S3ModelArtifacts"])
        assert '"predicted_label": 1' in invoke(boto3, "3.0")
        code = "import boto3; print(boto3.client('s3').list_buckets()['Buckets'][0]['Name'])"
        assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "data\\n"
"""

MODEL = """
    from code_under_test import deploy, invoke

    def test_a_trained_model_is_served(sagemaker_emulator, linear_learner_model, tmp_path):
        linear_learner_model.save(tmp_path / "model.tar.gz")
        session = sagemaker_emulator.session()
        session.client("s3").create_bucket(Bucket="data")
        session.client("s3").upload_file(str(tmp_path / "model.tar.gz"), "data", "model.tar.gz")
        deploy(session, "s3://data/model.tar.gz")
        assert '"predicted_label": 1' in invoke(session, "3.0,0.0")
"""


def test_another_project_tests_its_boto3_code_with_the_plugin(tmp_path):
    files = {
        "conftest.py": 'pytest_plugins = ["asteroid_ll.testing"]\n',
        "code_under_test.py": TRAIN_AND_INVOKE,
        "test_in_process.py": IN_PROCESS,
        "test_served.py": SERVED,
        "test_model.py": MODEL,
    }
    for name, text in files.items():
        (tmp_path / name).write_text(textwrap.dedent(text))
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "."],
        cwd=tmp_path,
        env={name: text for name, text in os.environ.items() if not name.startswith(("AWS_", "PYTEST_"))},
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "4 passed" in ended.stdout


def test_the_package_does_not_need_pytest():
    code = "import sys, asteroid_ll.emulator.local; print(*sys.modules)"
    names = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "pytest" not in names
