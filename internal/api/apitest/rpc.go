package apitest

import (
	"encoding/base64"
	"fmt"
	"sync"

	alisdk "github.com/aliyun/alibaba-cloud-sdk-go/sdk"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/auth/credentials"
	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/requests"
	"github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// alibabaRegion is one of the vendor's own; every server has those.
const alibabaRegion = "cn-hangzhou"

// rpcSDK is Alibaba's older Go SDK, with its typed ECS client and HMAC-SHA1.
type rpcSDK struct {
	*ecs.Client
	nodes []string
}

// rpcOpening holds off other openers: the SDK fills a table of its own at the first one, without a lock.
var rpcOpening sync.Mutex

func openRPC(target Target) (sdk, error) { return newRPC(target) }

func newRPC(target Target) (*rpcSDK, error) {
	rpcOpening.Lock()
	defer rpcOpening.Unlock()
	c, err := ecs.NewClientWithOptions(alibabaRegion, alisdk.NewConfig().WithScheme("HTTP"), credentials.NewAccessKeyCredential(target.KeyID, target.Secret))
	if err != nil {
		return nil, err
	}
	c.Domain = target.HostPort
	return &rpcSDK{Client: c, nodes: target.Nodes}, nil
}

func (s *rpcSDK) run(script string) (string, error) {
	r := ecs.CreateRunCommandRequest()
	r.RegionId, r.Type, r.CommandContent, r.InstanceId = alibabaRegion, "RunShellScript", script, &s.nodes
	r.Timeout = requests.NewInteger(timeout)
	resp, err := s.RunCommand(r)
	if err != nil {
		return "", err
	}
	return resp.InvokeId, nil
}

func (s *rpcSDK) stop(id string) error {
	r := ecs.CreateStopInvocationRequest()
	r.RegionId, r.InvokeId = alibabaRegion, id
	_, err := s.StopInvocation(r)
	return err
}

// read takes the machines from one action, which has the finer results, and then the whole from another: it cannot be older than they are.
func (s *rpcSDK) read(id string) (Reading, error) {
	out := Reading{Nodes: map[string]Machine{}}
	r := ecs.CreateDescribeInvocationResultsRequest()
	r.RegionId, r.InvokeId = alibabaRegion, id
	results, err := s.DescribeInvocationResults(r)
	if err != nil {
		return out, err
	}
	for _, m := range results.Invocation.InvocationResults.InvocationResult {
		output, err := base64.StdEncoding.DecodeString(m.Output)
		if err != nil {
			return out, err
		}
		out.Nodes[m.InstanceId] = Machine{
			Words: reasons(m.InvocationStatus, m.InvokeRecordStatus, m.ErrorCode), ExitCode: m.ExitCode, Output: string(output),
			Dropped: int64(m.Dropped), Start: m.StartTime, End: m.FinishedTime,
		}
	}

	rw := ecs.CreateDescribeInvocationsRequest()
	rw.RegionId, rw.InvokeId = alibabaRegion, id
	whole, err := s.DescribeInvocations(rw)
	if err != nil {
		return out, err
	}
	if n := len(whole.Invocations.Invocation); n != 1 {
		return out, fmt.Errorf("%d invocations", n)
	}
	v := whole.Invocations.Invocation[0]
	out.Words = []string{v.InvocationStatus, v.InvokeStatus}
	return out, nil
}

func (s *rpcSDK) agents() (map[string]string, error) {
	r := ecs.CreateDescribeCloudAssistantStatusRequest()
	r.RegionId, r.InstanceId = alibabaRegion, &s.nodes
	resp, err := s.DescribeCloudAssistantStatus(r)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	for _, a := range resp.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus {
		out[a.InstanceId] = a.CloudAssistantStatus
	}
	return out, nil
}

// reasons leaves out the words that are empty.
func reasons(words ...string) []string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, w)
		}
	}
	return out
}
