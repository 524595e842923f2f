package apitest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"

	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common"
	tchttp "github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/http"
	"github.com/tencentcloud/tencentcloud-sdk-go/tencentcloud/common/profile"
)

const (
	tatVersion = "2020-10-28"
	tatRegion  = "ap-guangzhou"
	methodTC3  = "TC3-HMAC-SHA256"
)

// tatSDK is the core of Tencent's Go SDK, which the clients of all its products use, with one of its three signature methods.
type tatSDK struct {
	client *common.Client
	method string
	nodes  []string
}

func openTAT(method string) func(Target) (sdk, error) {
	return func(target Target) (sdk, error) { return newTAT(target, method), nil }
}

func newTAT(target Target, method string) *tatSDK {
	p := profile.NewClientProfile()
	p.HttpProfile.Endpoint, p.HttpProfile.Scheme, p.SignMethod = target.HostPort, "HTTP", method
	p.DisableRegionBreaker = true
	c := common.NewCommonClient(common.NewCredential(target.KeyID, target.Secret), tatRegion, p)
	return &tatSDK{client: c, method: method, nodes: target.Nodes}
}

// The requests carry the tags by which the SDK writes JSON for the current method and flattens for the older ones.
type (
	runCommandRequest struct {
		*tchttp.BaseRequest
		Content     *string   `json:"Content,omitempty"     name:"Content"`
		InstanceIds []*string `json:"InstanceIds,omitempty" name:"InstanceIds"`
		Timeout     *uint64   `json:"Timeout,omitempty"     name:"Timeout"`
	}
	cancelInvocationRequest struct {
		*tchttp.BaseRequest
		InvocationId *string `json:"InvocationId,omitempty" name:"InvocationId"`
	}
	describeRequest struct {
		*tchttp.BaseRequest
		InvocationIds []*string    `json:"InvocationIds,omitempty" name:"InvocationIds"`
		InstanceIds   []*string    `json:"InstanceIds,omitempty"   name:"InstanceIds"`
		Filters       []*tatFilter `json:"Filters,omitempty"       name:"Filters"`
		HideOutput    *bool        `json:"HideOutput,omitempty"    name:"HideOutput"`
		Limit         *uint64      `json:"Limit,omitempty"         name:"Limit"`
		Offset        *uint64      `json:"Offset,omitempty"        name:"Offset"`
	}
	tatFilter struct {
		Name   *string   `json:"Name,omitempty"   name:"Name"`
		Values []*string `json:"Values,omitempty" name:"Values"`
	}
)

func base(action string) *tchttp.BaseRequest {
	b := new(tchttp.BaseRequest).Init()
	b.WithApiInfo("tat", tatVersion, action)
	return b
}

// call makes one request and decodes the answer strictly. The current method goes through the SDK's generic request, the older ones
// through its flattening.
func (s *tatSDK) call(action string, req tchttp.Request, into any) error {
	if s.method != methodTC3 {
		return s.send(req, into)
	}
	b, err := json.Marshal(req)
	if err != nil {
		return err
	}
	return s.ask(action, b, into)
}

// ask makes one request through the SDK's generic request, with parameters by name or as JSON, and decodes the answer.
func (s *tatSDK) ask(action string, params, into any) error {
	req := tchttp.NewCommonRequest("tat", tatVersion, action)
	if err := req.SetActionParameters(params); err != nil {
		return err
	}
	return s.send(req, into)
}

func (s *tatSDK) send(req tchttp.Request, into any) error {
	resp := tchttp.NewCommonResponse()
	if err := s.client.Send(req, resp); err != nil {
		return err
	}
	return json.Unmarshal(resp.GetBody(), &struct{ Response any }{into})
}

func (s *tatSDK) run(script string) (string, error) { return s.runFor(script, timeout) }

// runFor runs a script that may take some seconds.
func (s *tatSDK) runFor(script string, seconds uint64) (string, error) {
	req := &runCommandRequest{
		BaseRequest: base("RunCommand"), Content: common.StringPtr(base64.StdEncoding.EncodeToString([]byte(script))),
		InstanceIds: common.StringPtrs(s.nodes), Timeout: common.Uint64Ptr(seconds),
	}
	var resp struct{ InvocationId string }
	err := s.call("RunCommand", req, &resp)
	return resp.InvocationId, err
}

func (s *tatSDK) stop(id string) error {
	return s.call("CancelInvocation", &cancelInvocationRequest{BaseRequest: base("CancelInvocation"), InvocationId: &id}, &struct{}{})
}

// read takes the machines from one action and then the whole from another: it cannot be older than they are.
func (s *tatSDK) read(id string) (Reading, error) {
	out := Reading{Nodes: map[string]Machine{}}
	var tasks struct {
		InvocationTaskSet []struct {
			InstanceId, TaskStatus, ErrorInfo string
			TaskResult                        struct {
				ExitCode                   int64
				Output                     []byte // from Base64
				ExecStartTime, ExecEndTime *string
				Dropped                    uint64
			}
		}
	}
	req := &describeRequest{
		BaseRequest: base("DescribeInvocationTasks"), Filters: filterBy("invocation-id", id), HideOutput: common.BoolPtr(false),
	}
	if err := s.call("DescribeInvocationTasks", req, &tasks); err != nil {
		return out, err
	}
	for _, task := range tasks.InvocationTaskSet {
		r := task.TaskResult
		out.Nodes[task.InstanceId] = Machine{
			Words: reasons(task.TaskStatus, task.ErrorInfo), ExitCode: r.ExitCode, Output: string(r.Output), Dropped: int64(r.Dropped),
			Start: known(r.ExecStartTime), End: known(r.ExecEndTime),
		}
	}

	var whole struct {
		InvocationSet []struct{ InvocationStatus string }
	}
	req = &describeRequest{BaseRequest: base("DescribeInvocations"), InvocationIds: common.StringPtrs([]string{id})}
	if err := s.call("DescribeInvocations", req, &whole); err != nil {
		return out, err
	}
	if n := len(whole.InvocationSet); n != 1 {
		return out, fmt.Errorf("%d invocations", n)
	}
	out.Words = []string{whole.InvocationSet[0].InvocationStatus}
	return out, nil
}

func (s *tatSDK) agents() (map[string]string, error) {
	req := &describeRequest{BaseRequest: base("DescribeAutomationAgentStatus"), InstanceIds: common.StringPtrs(s.nodes)}
	var resp struct {
		AutomationAgentSet []struct{ InstanceId, AgentStatus string }
	}
	err := s.call("DescribeAutomationAgentStatus", req, &resp)
	out := map[string]string{}
	for _, a := range resp.AutomationAgentSet {
		out[a.InstanceId] = a.AgentStatus
	}
	return out, err
}

func filterBy(name, value string) []*tatFilter {
	return []*tatFilter{{Name: &name, Values: common.StringPtrs([]string{value})}}
}

// known is a text that may be null.
func known(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
