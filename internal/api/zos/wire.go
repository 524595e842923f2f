package zos

// Requests. Pointers tell a parameter that was not sent, or sent as null, from an empty one.
type (
	createCommandRequest struct {
		Name            *string `json:"name"`
		Content         *string `json:"content"`
		Type            *string `json:"type"`
		Description     string  `json:"description"`
		ResourceGroupID string  `json:"resourceGroupId"`
		Tags            tagList `json:"tags"`
	}
	modifyCommandRequest struct {
		CommandID   *string `json:"commandId"`
		Name        *string `json:"name"`
		Content     *string `json:"content"`
		Description *string `json:"description"`
	}
	deleteCommandRequest struct {
		CommandID *string `json:"commandId"`
	}
	describeCommandsRequest struct {
		CommandIDs []string `json:"commandIds"`
		Name       string   `json:"name"`
		Types      []string `json:"types"`
		TagKeys    []string `json:"tagKeys"`
		Tags       []tag    `json:"tags"` // not wrapped here, unlike everywhere else
		pageRequest
	}
	invokeCommandRequest struct {
		CommandID   *string  `json:"commandId"`
		InstanceIDs []string `json:"instanceIds"`
		Timeout     *int64   `json:"timeout"` // seconds
	}
	describeCommandInvocationsRequest struct {
		CommandIDs         []string `json:"commandIds"`
		InvocationIDs      []string `json:"invocationIds"`
		InstanceIDs        []string `json:"instanceIds"`
		InvocationStatuses []string `json:"invocationStatuses"`
		pageRequest
	}
)

// meta is the request id that answers repeat inside the envelope.
type meta struct {
	RequestID string `json:"requestId"`
}

func (m *meta) stamp(id string) { m.RequestID = id }

// Responses. Pointers are null where the vendor documents it.
type (
	createCommandResponse struct {
		meta
		CommandID string `json:"commandId"`
	}
	// doneResponse is the answer of actions that return nothing.
	doneResponse             struct{ meta }
	describeCommandsResponse struct {
		meta
		DataSet    []command `json:"dataSet"`
		TotalCount int       `json:"totalCount"`
	}
	invokeCommandResponse struct {
		meta
		InvocationID string `json:"invocationId"`
	}
	describeCommandInvocationsResponse struct {
		meta
		DataSet    []invocation `json:"dataSet"`
		TotalCount int          `json:"totalCount"`
	}
)

type (
	command struct {
		CommandID            string         `json:"commandId"`
		Name                 string         `json:"name"`
		Description          *string        `json:"description"`
		Content              string         `json:"content"`
		Type                 commandType    `json:"type"`
		CreateTime           string         `json:"createTime"`
		LatestInvocationTime *string        `json:"latestInvocationTime"`
		Tags                 tagList        `json:"tags"`
		ResourceGroup        *resourceGroup `json:"resourceGroup"`
	}
	invocation struct {
		InvocationID        string           `json:"invocationId"`
		CommandID           string           `json:"commandId"`
		CommandName         string           `json:"commandName"`
		CommandType         commandType      `json:"commandType"`
		Content             string           `json:"content"`
		Timeout             int64            `json:"timeout"` // seconds
		CreateTime          string           `json:"createTime"`
		InvocationStatus    invocationStatus `json:"invocationStatus"`
		InvocationInstances []instance       `json:"invocationInstances"`
	}
	instance struct {
		InstanceID    string     `json:"instanceId"`
		InstanceName  string     `json:"instanceName"`
		InstanceExist bool       `json:"instanceExist"`
		TaskStatus    taskStatus `json:"taskStatus"`
		ExitCode      *int64     `json:"exitCode"`
		ErrorCode     *errorCode `json:"errorCode"`
		Output        string     `json:"output"`
		OutputError   *string    `json:"outputError"`
		ExecStartTime *string    `json:"execStartTime"`
		ExecEndTime   *string    `json:"execEndTime"`
	}
	tag struct {
		Key   string `json:"key"`
		Value string `json:"value"`
	}
	// tagList is the wrapping that the vendor puts around tags.
	tagList struct {
		Tags []tag `json:"tags"`
	}
	resourceGroup struct {
		ResourceGroupID   string `json:"resourceGroupId"`
		ResourceGroupName string `json:"resourceGroupName"`
	}
)
