// Calls services and an operation that the emulator does not have, in protocols that the story does not use: CBOR, query
// and REST-XML.
// Prints one JSON object: how each call was refused.
import { CloudWatchClient, ListDashboardsCommand } from "@aws-sdk/client-cloudwatch";
import { ListHostedZonesCommand, Route53Client } from "@aws-sdk/client-route-53";
import { ListTopicsCommand, SNSClient } from "@aws-sdk/client-sns";

const calls = {
  cloudwatch: () => new CloudWatchClient().send(new ListDashboardsCommand()),
  route53: () => new Route53Client().send(new ListHostedZonesCommand()),
  sns: () => new SNSClient().send(new ListTopicsCommand()),
};
const refused = {};
for (const [name, call] of Object.entries(calls)) {
  refused[name] = await call().then(
    () => "answered",
    (error) => [error.name, error.message, error.$metadata?.httpStatusCode, error.$metadata?.attempts],
  );
}
console.log(JSON.stringify(refused));
