package ecs

import "errand/internal/api/alibaba"

type runCommandRequest struct {
	located
	alibaba.Envelope
	alibaba.Script
	alibaba.Order
	launch
	Type        string `alibaba:"required"`
	KeepCommand bool
}

type runCommandResponse struct {
	alibaba.Reply
	CommandId string
	InvokeId  string
}

type invokeCommandRequest struct {
	located
	alibaba.Envelope
	alibaba.Order
	launch
	CommandId string `alibaba:"required"`
}

type invokeCommandResponse struct {
	alibaba.Reply
	InvokeId string
}

// launch is what RunCommand and InvokeCommand have in common beyond alibaba.Order.
type launch struct {
	InstanceId          []string
	ResourceTag         []alibaba.Tag
	WindowsPasswordName string
	ContainerId         string
	ContainerName       string
	OssOutputDelivery   string
	ResourceGroupId     string
	Tag                 []alibaba.Tag
}

type stopInvocationRequest struct {
	located
	InvokeId   string `alibaba:"required"`
	InstanceId []string
}

type modifyInvocationAttributeRequest struct {
	located
	alibaba.Envelope
	InvokeId        string `alibaba:"required"`
	CommandContent  *string
	ContentEncoding string
	EnableParameter *bool
	Parameters      *string // JSON object
	Frequency       *string
	InstanceId      []string
	ClientToken     string
}

type modifyInvocationAttributeResponse struct {
	alibaba.Reply
	CommandId string
}

type describeInvocationsRequest struct {
	located
	paging
	InvokeId        string
	CommandId       string
	CommandName     string
	CommandType     string
	InstanceId      string
	InvokeStatus    string
	RepeatMode      string
	Timed           *bool
	IncludeOutput   bool
	ContentEncoding string
	ResourceGroupId string
	Tag             []alibaba.Tag
}

type describeInvocationsResponse struct {
	alibaba.Reply
	paged
	Invocations invocationSet
}

type invocationSet struct{ Invocation []invocation }

type invocation struct {
	InvokeId           string
	CommandId          string
	CommandName        string
	CommandType        string
	CommandDescription string
	CommandContent     string
	Parameters         string // JSON object as text; clients break on an object
	InvocationStatus   string
	InvokeStatus       string
	RepeatMode         string
	Frequency          string
	Timed              bool
	Timeout            int64 // seconds
	Username           string
	WorkingDir         string
	Launcher           string
	TerminationMode    string
	ContainerId        string
	ContainerName      string
	OssOutputDelivery  string
	CreationTime       string
	Tags               tagSet
	InvokeInstances    invokeInstanceSet
}

type invokeInstanceSet struct{ InvokeInstance []invokeInstance }

type invokeInstance struct {
	InstanceId           string
	InvocationStatus     string
	InstanceInvokeStatus string
	ErrorCode            string
	ErrorInfo            string
	ExitCode             *int64 `json:",omitempty"`
	Output               string
	Dropped              int64 // bytes
	Repeats              int64
	Timed                bool
	CreationTime         string
	StartTime            string
	FinishTime           string
	StopTime             string
	UpdateTime           string
	ossOutput
}

// ossOutput is what became of the copy of the output. The vendor leaves the last two out unless a delivery failed.
type ossOutput struct {
	OssOutputUri       string
	OssOutputStatus    string
	OssOutputErrorCode string `json:",omitempty"`
	OssOutputErrorInfo string `json:",omitempty"`
}

type describeInvocationResultsRequest struct {
	located
	paging
	InvokeId           string
	InstanceId         string
	CommandId          string
	InvokeRecordStatus string
	IncludeHistory     bool
	ContentEncoding    string
	ResourceGroupId    string
	Tag                []alibaba.Tag
}

type describeInvocationResultsResponse struct {
	alibaba.Reply
	Invocation invocationResults
}

// invocationResults is one level down, pages and all.
type invocationResults struct {
	paged
	InvocationResults invocationResultSet
}

type invocationResultSet struct{ InvocationResult []invocationResult }

type invocationResult struct {
	InvokeId           string
	CommandId          string
	InstanceId         string
	InvocationStatus   string
	InvokeRecordStatus string
	ErrorCode          string
	ErrorInfo          string
	ExitCode           *int64 `json:",omitempty"`
	Output             string
	Dropped            int64 // bytes
	Repeats            int64
	StartTime          string
	FinishedTime       string // FinishTime elsewhere
	StopTime           string
	Username           string
	Launcher           string
	TerminationMode    string
	ContainerId        string
	ContainerName      string
	OssOutputDelivery  string
	ossOutput
	Tags tagSet
}

type sendFileRequest struct {
	located
	alibaba.Envelope
	alibaba.FileOrder
	InstanceId      []string
	ResourceGroupId string
	Tag             []alibaba.Tag
}

type sendFileResponse struct {
	alibaba.Reply
	InvokeId string
}

type describeSendFileResultsRequest struct {
	located
	paging
	InvokeId         string
	InstanceId       string
	Name             string
	InvocationStatus string
	ResourceGroupId  string
	Tag              []alibaba.Tag
}

type describeSendFileResultsResponse struct {
	alibaba.Reply
	paged
	Invocations fileSet
}

type fileSet struct{ Invocation []file }

type file struct {
	InvokeId         string
	Name             string
	TargetDir        string
	Content          string
	ContentType      string
	Description      string
	FileOwner        string
	FileGroup        string
	FileMode         string
	Overwrite        string // "true" or "false"
	VmCount          int64
	CreationTime     string
	InvocationStatus string
	Tags             tagSet
	InvokeInstances  fileInstanceSet
}

type fileInstanceSet struct{ InvokeInstance []fileInstance }

type fileInstance struct {
	InstanceId       string
	InvocationStatus string
	ErrorCode        string
	ErrorInfo        string
	CreationTime     string
	StartTime        string
	FinishTime       string
	UpdateTime       string
}
