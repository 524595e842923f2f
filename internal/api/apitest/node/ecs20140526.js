'use strict';

// Alibaba's current Node.js client for ECS: typed, ACS3-HMAC-SHA256.

const ecs = require('@alicloud/ecs20140526');
const { main, timeout, words } = require('./story');

const regionId = 'cn-hangzhou';

function open({ host, key, secret, nodes }) {
  const client = new ecs.default({ accessKeyId: key, accessKeySecret: secret, endpoint: host, protocol: 'HTTP', regionId });

  return {
    async run(script) {
      const { body } = await client.runCommand(new ecs.RunCommandRequest({
        regionId, type: 'RunShellScript', commandContent: Buffer.from(script).toString('base64'), contentEncoding: 'Base64',
        timeout: timeout(), instanceId: nodes,
      }));
      return body.invokeId;
    },
    stop: (id) => client.stopInvocation(new ecs.StopInvocationRequest({ regionId, invokeId: id, instanceId: nodes })),
    async read(id) {
      const { body } = await client.describeInvocations(new ecs.DescribeInvocationsRequest({
        regionId, invokeId: id, includeOutput: true, contentEncoding: 'PlainText',
      }));
      const [invocation] = body.invocations.invocation;
      const machines = invocation.invokeInstances.invokeInstance.map((m) => [m.instanceId, {
        words: words(m.invocationStatus, m.instanceInvokeStatus, m.errorCode),
        exitCode: m.exitCode ?? 0,
        output: m.output,
        dropped: m.dropped,
        start: m.startTime,
        end: m.finishTime,
      }]);
      return { words: [invocation.invocationStatus, invocation.invokeStatus], nodes: Object.fromEntries(machines) };
    },
    async agents() {
      const { body } = await client.describeCloudAssistantStatus(new ecs.DescribeCloudAssistantStatusRequest({
        regionId, instanceId: nodes,
      }));
      const list = body.instanceCloudAssistantStatusSet.instanceCloudAssistantStatus;
      return Object.fromEntries(list.map((a) => [a.instanceId, a.cloudAssistantStatus]));
    },
    codeOf: (error) => error.code,
  };
}

main(open);
