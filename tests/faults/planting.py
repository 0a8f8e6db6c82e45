"""Resources of an emulated account that no run has created, planted by plain boto3."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from asteroid_ll import Emulator, own_wheel
from asteroid_ll.linear_learner.images import image_uri
from asteroid_ll.processing_container import CODE, ENTRYPOINT, RUN, local_path
from asteroid_ll.processing_images import default_image

ACCOUNT_ID = "000000000000"
ROLE_ARN = f"arn:aws:iam::{ACCOUNT_ID}:role/asteroid-ll"


class Region:
    """An account's region, filled by calls of plain boto3 from elsewhere."""

    def __init__(
        self, emulator: Emulator, region: str, artifact: Path, *, key: str = "artifact", bucket: str = ""
    ) -> None:
        session = emulator.session(region)
        self.region = region
        self.s3, self.sagemaker, self.logs = (session.client(name) for name in ("s3", "sagemaker", "logs"))
        self.bucket = bucket or f"sagemaker-{region}-{ACCOUNT_ID}-asteroid-ll"
        self.key = key
        location = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
        self.s3.create_bucket(Bucket=self.bucket, **location)
        self.s3.upload_file(str(artifact), self.bucket, f"{key}/model.tar.gz")
        self.s3.put_object(Bucket=self.bucket, Key=f"{key}/rows.csv", Body=b"1,2\n")

    def model(self, name: str, tags: list[dict[str, str]]) -> None:
        container = {"Image": image_uri(self.region), "ModelDataUrl": f"s3://{self.bucket}/{self.key}/model.tar.gz"}
        self.sagemaker.create_model(ModelName=name, PrimaryContainer=container, ExecutionRoleArn=ROLE_ARN, Tags=tags)

    def config(self, name: str, tags: list[dict[str, str]], *, model: str | None = None) -> None:
        variant = {"VariantName": "a", "ModelName": model or name, "InstanceType": "ml.m5.large"}
        self.sagemaker.create_endpoint_config(
            EndpointConfigName=name, ProductionVariants=[variant | {"InitialInstanceCount": 2}], Tags=tags
        )

    def endpoint(self, name: str, tags: list[dict[str, str]]) -> None:
        """Create an endpoint with its configuration and model, all of one name."""
        self.model(name, tags)
        self.config(name, tags)
        self.sagemaker.create_endpoint(EndpointName=name, EndpointConfigName=name, Tags=tags)
        self.sagemaker.describe_endpoint(EndpointName=name)

    def job(self, name: str, tags: list[dict[str, str]]) -> None:
        source = {"S3DataType": "S3Prefix", "S3Uri": f"s3://{self.bucket}/{self.key}/rows.csv"}
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            AlgorithmSpecification={"TrainingImage": image_uri(self.region), "TrainingInputMode": "File"},
            RoleArn=ROLE_ARN,
            HyperParameters={"predictor_type": "regressor"},
            InputDataConfig=[
                {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource": source}}
            ],
            OutputDataConfig={"S3OutputPath": f"s3://{self.bucket}/output"},
            ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
            Tags=tags,
        )

    def processing_job(self, name: str, tags: list[dict[str, str]]) -> None:
        """Create a job of one of our stages, with the package's own wheel."""
        prefix = f"{self.key}/wheel/"
        self.s3.put_object(Bucket=self.bucket, Key=f"{prefix}{own_wheel.file_name()}", Body=own_wheel.build())
        source = {"S3Uri": f"s3://{self.bucket}/{prefix}", "LocalPath": local_path(CODE), "S3DataType": "S3Prefix"}
        target = {"S3Uri": f"s3://{self.bucket}/output", "LocalPath": local_path(f"{RUN}/clean")}
        self.sagemaker.create_processing_job(
            ProcessingJobName=name,
            AppSpecification={"ImageUri": default_image(self.region), "ContainerEntrypoint": list(ENTRYPOINT)},
            RoleArn=ROLE_ARN,
            ProcessingInputs=[{"InputName": "code", "S3Input": {**source, "S3InputMode": "File"}}],
            ProcessingOutputConfig={
                "Outputs": [{"OutputName": "clean", "S3Output": {**target, "S3UploadMode": "EndOfJob"}}]
            },
            ProcessingResources={
                "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
            },
            Tags=tags,
        )

    def upload(self, key: str) -> None:
        self.s3.create_multipart_upload(Bucket=self.bucket, Key=key)

    def names(self) -> Counter[str]:
        """What is there, as an independent client lists it."""
        jobs = self.sagemaker.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]
        stages = self.sagemaker.list_processing_jobs(StatusEquals="InProgress")["ProcessingJobSummaries"]
        return Counter(
            [f"endpoint {item['EndpointName']}" for item in self.sagemaker.list_endpoints()["Endpoints"]]
            + [f"config {item['EndpointConfigName']}" for item in self._all("list_endpoint_configs", "EndpointConfigs")]
            + [f"model {item['ModelName']}" for item in self._all("list_models", "Models")]
            + [f"job {item['TrainingJobName']}" for item in jobs]
            + [f"processing job {item['ProcessingJobName']}" for item in stages]
            + [f"upload {x['Key']}" for x in self.s3.list_multipart_uploads(Bucket=self.bucket).get("Uploads", ())]
        )

    def _all(self, operation: str, member: str) -> list[dict[str, str]]:
        return [item for page in self.sagemaker.get_paginator(operation).paginate() for item in page[member]]
