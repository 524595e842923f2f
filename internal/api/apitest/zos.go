package apitest

import (
	"fmt"

	"github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/common"
	zos "github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/zos20251010"
)

// zosSDK is Zenlayer's Go SDK with its typed ZOS client. The vendor knows stored commands only and has no stop.
type zosSDK struct {
	*zos.Client
	nodes   []string
	stopper sdk // of another vendor
}

func openZOS(target Target) (sdk, error) {
	c, err := newZOS(target)
	return &zosSDK{Client: c, nodes: target.Nodes, stopper: newTAT(target, methodTC3)}, err
}

func newZOS(target Target) (*zos.Client, error) {
	config := common.NewConfig()
	config.Domain, config.Scheme = target.HostPort, "http"
	return zos.NewClient(config, target.KeyID, target.Secret)
}

func (s *zosSDK) run(script string) (string, error) {
	create := zos.NewCreateCommandRequest()
	create.Name, create.Content, create.Type = ptr("story"), &script, ptr("SHELL")
	command, err := s.CreateCommand(create)
	if err != nil {
		return "", err
	}
	invoke := zos.NewInvokeCommandRequest()
	invoke.CommandId, invoke.InstanceIds, invoke.Timeout = command.Response.CommandId, s.nodes, ptr(timeout)
	invocation, err := s.InvokeCommand(invoke)
	if err != nil {
		return "", err
	}
	return *invocation.Response.InvocationId, nil
}

func (s *zosSDK) stop(id string) error { return s.stopper.stop(id) }

func (s *zosSDK) read(id string) (Reading, error) {
	req := zos.NewDescribeCommandInvocationsRequest()
	req.InvocationIds = []string{id}
	resp, err := s.DescribeCommandInvocations(req)
	if err != nil {
		return Reading{}, err
	}
	if n := len(resp.Response.DataSet); n != 1 || *resp.Response.TotalCount != 1 {
		return Reading{}, fmt.Errorf("%d invocations", n)
	}
	v := resp.Response.DataSet[0]
	out := Reading{Words: []string{*v.InvocationStatus}, Nodes: map[string]Machine{}}
	for _, i := range v.InvocationInstances {
		m := Machine{
			Words: reasons(*i.TaskStatus, known(i.ErrorCode)), Output: known(i.Output), Stderr: known(i.OutputError),
			Start: known(i.ExecStartTime), End: known(i.ExecEndTime),
		}
		if i.ExitCode != nil {
			m.ExitCode = int64(*i.ExitCode)
		}
		if !*i.InstanceExist {
			m.Words = append(m.Words, "gone")
		}
		out.Nodes[*i.InstanceId] = m
	}
	return out, nil
}

func (*zosSDK) agents() (map[string]string, error) { return nil, nil }

func ptr[T any](v T) *T { return &v }
