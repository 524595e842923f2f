package ecs_test

import (
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/aliyun/alibaba-cloud-sdk-go/sdk/responses"
	sdk "github.com/aliyun/alibaba-cloud-sdk-go/services/ecs"
)

// decoders make the vendor's own structure for the answer to each action that its typed SDK knows.
var decoders = map[string]func() responses.AcsResponse{
	"CreateActivation":             func() responses.AcsResponse { return sdk.CreateCreateActivationResponse() },
	"CreateCommand":                func() responses.AcsResponse { return sdk.CreateCreateCommandResponse() },
	"DeregisterManagedInstance":    func() responses.AcsResponse { return sdk.CreateDeregisterManagedInstanceResponse() },
	"DescribeActivations":          func() responses.AcsResponse { return sdk.CreateDescribeActivationsResponse() },
	"DescribeCloudAssistantStatus": func() responses.AcsResponse { return sdk.CreateDescribeCloudAssistantStatusResponse() },
	"DescribeCommands":             func() responses.AcsResponse { return sdk.CreateDescribeCommandsResponse() },
	"DescribeInstances":            func() responses.AcsResponse { return sdk.CreateDescribeInstancesResponse() },
	"DescribeInvocationResults":    func() responses.AcsResponse { return sdk.CreateDescribeInvocationResultsResponse() },
	"DescribeInvocations":          func() responses.AcsResponse { return sdk.CreateDescribeInvocationsResponse() },
	"DescribeManagedInstances":     func() responses.AcsResponse { return sdk.CreateDescribeManagedInstancesResponse() },
	"DescribeRegions":              func() responses.AcsResponse { return sdk.CreateDescribeRegionsResponse() },
	"DescribeSendFileResults":      func() responses.AcsResponse { return sdk.CreateDescribeSendFileResultsResponse() },
	"DescribeTerminalSessions":     func() responses.AcsResponse { return sdk.CreateDescribeTerminalSessionsResponse() },
	"InstallCloudAssistant":        func() responses.AcsResponse { return sdk.CreateInstallCloudAssistantResponse() },
	"InvokeCommand":                func() responses.AcsResponse { return sdk.CreateInvokeCommandResponse() },
	"ListTagResources":             func() responses.AcsResponse { return sdk.CreateListTagResourcesResponse() },
	"ModifyManagedInstance":        func() responses.AcsResponse { return sdk.CreateModifyManagedInstanceResponse() },
	"RunCommand":                   func() responses.AcsResponse { return sdk.CreateRunCommandResponse() },
	"SendFile":                     func() responses.AcsResponse { return sdk.CreateSendFileResponse() },
	"StartTerminalSession":         func() responses.AcsResponse { return sdk.CreateStartTerminalSessionResponse() },
}

// checkDecodes has the vendor's own SDK read the answer to a recorded request.
func checkDecodes(t *testing.T, action, body string) {
	t.Helper()
	decoder, ok := decoders[action]
	if !ok || strings.HasPrefix(body, "<?xml") {
		// The typed SDK does not know the action: the stories read it through the vendor's general client. Or the recorded client
		// asked for XML, which this SDK never does.
		return
	}
	resp := decoder()
	err := responses.Unmarshal(resp, &http.Response{
		StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {"application/json"}}, Body: io.NopCloser(strings.NewReader(body)),
	}, "JSON")
	if err != nil || !resp.IsSuccess() || !strings.Contains(body, `"RequestId":"`) {
		t.Errorf("%s: the SDK reads %.300s: %v", action, body, err)
	}
}
