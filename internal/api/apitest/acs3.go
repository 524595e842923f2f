package apitest

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	openapi "github.com/alibabacloud-go/darabonba-openapi/v2/client"
	"github.com/alibabacloud-go/darabonba-openapi/v2/models"
	"github.com/alibabacloud-go/darabonba-openapi/v2/utils"
	"github.com/alibabacloud-go/tea/dara"
	"github.com/alibabacloud-go/tea/tea"
)

// The versions of the two products, by which alone they are told apart.
const (
	ecsVersion  = "2014-05-26"
	efloVersion = "2022-12-15"
)

// acs3 is Alibaba's current Go SDK core with ACS3-HMAC-SHA256, as the clients of all its products use it.
type acs3 struct {
	client  *openapi.Client
	version string
	// inBody is where the product takes its parameters: in a form, or in the query.
	inBody bool
}

func newACS3(target Target, version string, inBody bool) (*acs3, error) {
	c, err := openapi.NewClient(&models.Config{
		AccessKeyId: &target.KeyID, AccessKeySecret: &target.Secret, Endpoint: &target.HostPort,
		Protocol: tea.String("http"), RegionId: tea.String(alibabaRegion), HttpClient: plainHTTP{},
	})
	return &acs3{client: c, version: version, inBody: inBody}, err
}

// plainHTTP takes the place of the SDK's own pool of HTTP clients, which sets a client's time limit while others use it: the race detector
// minds.
type plainHTTP struct{}

func (plainHTTP) Call(r *http.Request, _ *http.Transport) (*http.Response, error) {
	return http.DefaultClient.Do(r)
}

// call makes one request and decodes the answer strictly.
func (a *acs3) call(action string, params map[string]any, into any) error {
	req := &utils.OpenApiRequest{}
	if a.inBody {
		req.Body = utils.ParseToMap(params)
	} else {
		req.Query = utils.Query(params)
	}
	resp, err := a.client.CallApi(&utils.Params{
		Action: &action, Version: &a.version, Protocol: tea.String("HTTPS"), Pathname: tea.String("/"), Method: tea.String("POST"),
		AuthType: tea.String("AK"), Style: tea.String("RPC"), ReqBodyType: tea.String("formData"), BodyType: tea.String("json"),
	}, req, &dara.RuntimeOptions{})
	if err != nil {
		return err
	}
	return recode(resp["body"], into)
}

// recode turns a tree that an SDK decoded into a typed value.
func recode(tree, into any) error {
	b, err := json.Marshal(tree)
	if err != nil {
		return err
	}
	return json.Unmarshal(b, into)
}

// ecsSDK speaks to ECS.
type ecsSDK struct {
	*acs3
	nodes []string
}

func openECS(target Target) (sdk, error) {
	a, err := newACS3(target, ecsVersion, false)
	return &ecsSDK{acs3: a, nodes: target.Nodes}, err
}

func (s *ecsSDK) run(script string) (string, error) {
	var resp struct{ InvokeId string }
	err := s.call("RunCommand", map[string]any{
		"RegionId": alibabaRegion, "Type": "RunShellScript", "Timeout": timeout, "InstanceId": s.nodes,
		"CommandContent": base64.StdEncoding.EncodeToString([]byte(script)), "ContentEncoding": "Base64",
	}, &resp)
	return resp.InvokeId, err
}

func (s *ecsSDK) stop(id string) error {
	return s.call("StopInvocation", map[string]any{"RegionId": alibabaRegion, "InvokeId": id, "InstanceId": s.nodes}, &struct{}{})
}

// read takes everything from one action, with output as text.
func (s *ecsSDK) read(id string) (Reading, error) {
	var resp struct {
		Invocations struct {
			Invocation []struct {
				InvocationStatus, InvokeStatus string
				InvokeInstances                struct{ InvokeInstance []acs3Machine }
			}
		}
	}
	err := s.call("DescribeInvocations", map[string]any{
		"RegionId": alibabaRegion, "InvokeId": id, "IncludeOutput": true, "ContentEncoding": "PlainText",
	}, &resp)
	if err != nil {
		return Reading{}, err
	}
	list := resp.Invocations.Invocation
	if len(list) != 1 {
		return Reading{}, fmt.Errorf("%d invocations", len(list))
	}
	return acs3Reading(list[0].InvocationStatus, list[0].InvokeStatus, list[0].InvokeInstances.InvokeInstance), nil
}

func (s *ecsSDK) agents() (map[string]string, error) {
	var resp struct {
		InstanceCloudAssistantStatusSet struct {
			InstanceCloudAssistantStatus []struct{ InstanceId, CloudAssistantStatus string }
		}
	}
	err := s.call("DescribeCloudAssistantStatus", map[string]any{"RegionId": alibabaRegion, "InstanceId": s.nodes}, &resp)
	out := map[string]string{}
	for _, a := range resp.InstanceCloudAssistantStatusSet.InstanceCloudAssistantStatus {
		out[a.InstanceId] = a.CloudAssistantStatus
	}
	return out, err
}

// efloSDK speaks to eflo-controller.
type efloSDK struct {
	*acs3
	nodes []string
}

func openEFLO(target Target) (sdk, error) {
	a, err := newACS3(target, efloVersion, true)
	return &efloSDK{acs3: a, nodes: target.Nodes}, err
}

// nodeList is how the product's own client sends a list: as one JSON text.
func (s *efloSDK) nodeList() (string, error) {
	b, err := json.Marshal(s.nodes)
	return string(b), err
}

func (s *efloSDK) run(script string) (string, error) {
	nodes, err := s.nodeList()
	if err != nil {
		return "", err
	}
	var resp struct{ InvokeId string }
	err = s.call("RunCommand", map[string]any{"CommandContent": script, "NodeIdList": nodes, "Timeout": timeout}, &resp)
	return resp.InvokeId, err
}

func (s *efloSDK) stop(id string) error {
	nodes, err := s.nodeList()
	if err != nil {
		return err
	}
	return s.call("StopInvocation", map[string]any{"InvokeId": id, "NodeIdList": nodes}, &struct{}{})
}

func (s *efloSDK) read(id string) (Reading, error) {
	var resp struct {
		Invocations struct {
			Invocation []struct {
				InvocationStatus, InvokeStatus string
				InvokeNodes                    struct{ InvokeNode []acs3Machine }
			}
		}
	}
	err := s.call("DescribeInvocations", map[string]any{"InvokeId": id, "IncludeOutput": true, "ContentEncoding": "PlainText"}, &resp)
	if err != nil {
		return Reading{}, err
	}
	list := resp.Invocations.Invocation
	if len(list) != 1 {
		return Reading{}, fmt.Errorf("%d invocations", len(list))
	}
	return acs3Reading(list[0].InvocationStatus, list[0].InvokeStatus, list[0].InvokeNodes.InvokeNode), nil
}

func (*efloSDK) agents() (map[string]string, error) { return nil, nil }

// acs3Machine is a machine's part of an invocation in either product; each leaves the other's names out.
type acs3Machine struct {
	InstanceId, NodeId                                   string
	InvocationStatus, ErrorCode, Output                  string
	InstanceInvokeStatus, NodeInvokeStatus               string
	CreationTime, StartTime, FinishTime, UpdateTime, Key string
	ExitCode, Dropped                                    int64
}

func acs3Reading(status, older string, machines []acs3Machine) Reading {
	out := Reading{Words: []string{status, older}, Nodes: map[string]Machine{}}
	for _, m := range machines {
		out.Nodes[m.InstanceId+m.NodeId] = Machine{
			Words:    reasons(m.InvocationStatus, m.InstanceInvokeStatus+m.NodeInvokeStatus, m.ErrorCode),
			ExitCode: m.ExitCode, Output: m.Output, Dropped: m.Dropped, Start: m.StartTime, End: m.FinishTime,
		}
	}
	return out
}
