'use strict';

// Alibaba's older Node.js SDK core: RPC style, HMAC-SHA1.

const { RPCClient } = require('@alicloud/pop-core');
const { main, timeout, words } = require('./story');

const RegionId = 'cn-hangzhou';

function open({ host, key, secret, nodes }) {
  const client = new RPCClient({
    accessKeyId: key, accessKeySecret: secret, endpoint: `http://${host}`, apiVersion: '2014-05-26',
  });
  const call = (action, params, method = 'POST') => client.request(action, { RegionId, ...params }, { method });

  return {
    async run(script) {
      const { InvokeId } = await call('RunCommand', {
        Type: 'RunShellScript', CommandContent: script, Timeout: timeout(), InstanceId: nodes,
      });
      return InvokeId;
    },
    stop: (id) => call('StopInvocation', { InvokeId: id }),
    async read(id) {
      const results = await call('DescribeInvocationResults', { InvokeId: id }, 'GET');
      const machines = results.Invocation.InvocationResults.InvocationResult.map((r) => [r.InstanceId, {
        words: words(r.InvocationStatus, r.InvokeRecordStatus, r.ErrorCode),
        exitCode: r.ExitCode ?? 0,
        output: Buffer.from(r.Output, 'base64').toString(),
        dropped: r.Dropped,
        start: r.StartTime,
        end: r.FinishedTime,
      }]);
      const whole = await call('DescribeInvocations', { InvokeId: id }, 'GET');
      const [{ InvocationStatus, InvokeStatus }] = whole.Invocations.Invocation;
      return { words: [InvocationStatus, InvokeStatus], nodes: Object.fromEntries(machines) };
    },
    async agents() {
      const answer = await call('DescribeCloudAssistantStatus', { InstanceId: nodes });
      const list = answer.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus;
      return Object.fromEntries(list.map((a) => [a.InstanceId, a.CloudAssistantStatus]));
    },
    codeOf: (error) => error.code,
  };
}

main(open);
