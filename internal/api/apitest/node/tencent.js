'use strict';

// Tencent's Node.js client for TAT: TC3-HMAC-SHA256, over a host name that it signs without its port.

const { tat } = require('tencentcloud-sdk-nodejs');
const { main, timeout, words } = require('./story');

function open({ host, key, secret, nodes }) {
  const client = new tat.v20201028.Client({
    credential: { secretId: key, secretKey: secret },
    region: 'ap-guangzhou',
    profile: { httpProfile: { endpoint: host, protocol: 'http://' } },
  });

  return {
    async run(script) {
      const { InvocationId } = await client.RunCommand({
        Content: Buffer.from(script).toString('base64'), InstanceIds: nodes, Timeout: timeout(),
      });
      return InvocationId;
    },
    stop: (id) => client.CancelInvocation({ InvocationId: id, InstanceIds: nodes }),
    async read(id) {
      const { InvocationTaskSet } = await client.DescribeInvocationTasks({
        Filters: [{ Name: 'invocation-id', Values: [id] }], HideOutput: false,
      });
      const machines = InvocationTaskSet.map((task) => [task.InstanceId, {
        words: words(task.TaskStatus, task.ErrorInfo),
        exitCode: task.TaskResult.ExitCode,
        output: Buffer.from(task.TaskResult.Output, 'base64').toString(),
        dropped: task.TaskResult.Dropped,
        start: task.TaskResult.ExecStartTime,
        end: task.TaskResult.ExecEndTime,
      }]);
      const { InvocationSet: [whole] } = await client.DescribeInvocations({ InvocationIds: [id] });
      return { words: [whole.InvocationStatus], nodes: Object.fromEntries(machines) };
    },
    async agents() {
      const { AutomationAgentSet } = await client.DescribeAutomationAgentStatus({ InstanceIds: nodes });
      return Object.fromEntries(AutomationAgentSet.map((a) => [a.InstanceId, a.AgentStatus]));
    },
    codeOf: (error) => error.code,
  };
}

main(open);
