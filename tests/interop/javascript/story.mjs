// A Linear Learner story with the AWS SDK for JavaScript 3, from a bucket to an endpoint's answer and an empty account.
// AWS_ENDPOINT_URL is the emulator's address. Prints one JSON object.
import assert from "node:assert/strict";

import {
  CreateBucketCommand, DeleteBucketCommand, DeleteObjectsCommand, GetObjectCommand, HeadObjectCommand,
  ListBucketsCommand, PutObjectCommand, S3Client, paginateListObjectsV2,
} from "@aws-sdk/client-s3";
import {
  CreateEndpointCommand, CreateEndpointConfigCommand, CreateModelCommand, CreateTrainingJobCommand,
  DeleteEndpointCommand, DeleteEndpointConfigCommand, DeleteModelCommand, DescribeModelCommand, DescribeTrainingJobCommand,
  ListEndpointsCommand, ListNotebookInstancesCommand, SageMakerClient, paginateListModels, waitUntilEndpointDeleted,
  waitUntilEndpointInService, waitUntilTrainingJobCompletedOrStopped,
} from "@aws-sdk/client-sagemaker";
import { InvokeEndpointAsyncCommand, InvokeEndpointCommand, SageMakerRuntimeClient } from "@aws-sdk/client-sagemaker-runtime";
import { getSignedUrl } from "@aws-sdk/s3-request-presigner";

const s3 = new S3Client({ forcePathStyle: process.argv.includes("--path-style") });
const sagemaker = new SageMakerClient();
const runtime = new SageMakerRuntimeClient();
const here = { Bucket: "rocks" };
const waiting = (client) => ({ client, minDelay: 1, maxDelay: 1, maxWaitTime: 120 });

async function refusal(sent) {
  const error = await sent.then(() => assert.fail("it was not refused"), (reason) => reason);
  return { name: error.name, message: error.message, status: error.$metadata?.httpStatusCode, attempts: error.$metadata?.attempts };
}

// Objects
await s3.send(new CreateBucketCommand(here));
const rows = Array.from({ length: 400 }, (_, n) => `${n % 2},${(n % 2) + n / 1000},${n % 7}\n`).join("");
const put = await getSignedUrl(s3, new PutObjectCommand({ ...here, Key: "train/rows é+.csv", ContentType: "text/csv", Metadata: { source: "story" } }));
const stored = await fetch(put, { method: "PUT", body: rows, headers: { "Content-Type": "text/csv" } });
assert.equal(stored.status, 200, await stored.text());
const get = await getSignedUrl(s3, new GetObjectCommand({ ...here, Key: "train/rows é+.csv" }), { expiresIn: 60 });
assert.equal(await (await fetch(get)).text(), rows);
const head = await s3.send(new HeadObjectCommand({ ...here, Key: "train/rows é+.csv" }));
assert.deepEqual(head.Metadata, { source: "story" });
await s3.send(new PutObjectCommand({ ...here, Key: "a", Body: "Eros", ChecksumAlgorithm: "SHA256" }));
await s3.send(new PutObjectCommand({ ...here, Key: "b", Body: Buffer.alloc(70_000, 7), Tagging: "kind=rock" }));
const read = await s3.send(new GetObjectCommand({ ...here, Key: "a", ChecksumMode: "ENABLED", Range: "bytes=0-3" }));
assert.equal(await read.Body.transformToString(), "Eros");
const missing = await refusal(s3.send(new GetObjectCommand({ ...here, Key: "none" })));

// Training
const job = {
  TrainingJobName: "story",
  AlgorithmSpecification: {
    TrainingImage: "382416733822.dkr.ecr.us-east-1.amazonaws.com/linear-learner:1",
    TrainingInputMode: "File",
  },
  RoleArn: "arn:aws:iam::000000000000:role/asteroid-ll",
  InputDataConfig: [{
    ChannelName: "train",
    ContentType: "text/csv",
    DataSource: { S3DataSource: { S3DataType: "S3Prefix", S3Uri: "s3://rocks/train/" } },
  }],
  OutputDataConfig: { S3OutputPath: "s3://rocks/models" },
  ResourceConfig: { InstanceType: "ml.m5.large", InstanceCount: 1, VolumeSizeInGB: 10 },
  HyperParameters: { predictor_type: "binary_classifier", mini_batch_size: "50", epochs: "3" },
  StoppingCondition: { MaxRuntimeInSeconds: 600 },
};
const wrongType = await refusal(sagemaker.send(new CreateTrainingJobCommand({ ...job, HyperParameters: { epochs: 3 } })));
const invalid = await refusal(sagemaker.send(new CreateTrainingJobCommand({ ...job, TrainingJobName: "a b" })));
await sagemaker.send(new CreateTrainingJobCommand(job));
await waitUntilTrainingJobCompletedOrStopped(waiting(sagemaker), { TrainingJobName: "story" });
const trained = await sagemaker.send(new DescribeTrainingJobCommand({ TrainingJobName: "story" }));
assert.ok(trained.TrainingEndTime instanceof Date);

// Hosting
await sagemaker.send(new CreateModelCommand({
  ModelName: "story",
  ExecutionRoleArn: job.RoleArn,
  PrimaryContainer: {
    Image: job.AlgorithmSpecification.TrainingImage, ModelDataUrl: trained.ModelArtifacts.S3ModelArtifacts,
  },
}));
await sagemaker.send(new CreateEndpointConfigCommand({
  EndpointConfigName: "story",
  ProductionVariants: [{ VariantName: "v", ModelName: "story", InstanceType: "ml.m5.large", InitialInstanceCount: 1 }],
}));
await sagemaker.send(new CreateEndpointCommand({ EndpointName: "story", EndpointConfigName: "story" }));
await waitUntilEndpointInService(waiting(sagemaker), { EndpointName: "story" });
const asked = { EndpointName: "story", ContentType: "text/csv", Accept: "application/json" };
const answer = await runtime.send(new InvokeEndpointCommand({ ...asked, Body: "0.1,3\n1.3,3\n" }));
const { predictions } = JSON.parse(Buffer.from(answer.Body).toString());
const badRow = await refusal(runtime.send(new InvokeEndpointCommand({ ...asked, Body: "1,2,3\n" })));
const unknown = await refusal(sagemaker.send(new ListNotebookInstancesCommand()));
const unknownRuntime = await refusal(runtime.send(new InvokeEndpointAsyncCommand({ EndpointName: "story", InputLocation: "s3://rocks/a" })));

// Cleaning up
await sagemaker.send(new DeleteEndpointCommand({ EndpointName: "story" }));
await waitUntilEndpointDeleted(waiting(sagemaker), { EndpointName: "story" });
await sagemaker.send(new DeleteEndpointConfigCommand({ EndpointConfigName: "story" }));
await sagemaker.send(new DeleteModelCommand({ ModelName: "story" }));
const gone = await refusal(sagemaker.send(new DescribeModelCommand({ ModelName: "story" })));
assert.deepEqual((await sagemaker.send(new ListEndpointsCommand())).Endpoints, []);
for await (const page of paginateListModels({ client: sagemaker }, {})) assert.deepEqual(page.Models, []);
const keys = [];
for await (const page of paginateListObjectsV2({ client: s3, pageSize: 2 }, here)) keys.push(...page.Contents.map(({ Key }) => Key));
await s3.send(new DeleteObjectsCommand({ ...here, Delete: { Objects: keys.map((Key) => ({ Key })) } }));
await s3.send(new DeleteBucketCommand(here));
assert.deepEqual((await s3.send(new ListBucketsCommand())).Buckets ?? [], []);

const refused = { missing, wrongType, invalid, badRow, unknown, unknownRuntime, gone };
console.log(JSON.stringify({ status: trained.TrainingJobStatus, keys, predictions, refused }));
