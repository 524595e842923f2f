package eflo

import "errand/internal/api/alibaba"

// The structs below have the vendor's fields under the vendor's names. Lists are never nil, so that they appear as [] and not as null.

type runCommandRequest struct {
	alibaba.Envelope
	alibaba.Script
	alibaba.Order
	RegionId   string // not documented, but some clients send it with everything
	NodeIdList []string
	CommandId  string
}

type runCommandResponse struct {
	alibaba.Reply
	InvokeId string
}

type stopInvocationRequest struct {
	InvokeId   string `alibaba:"required"`
	NodeIdList []string
}

type describeInvocationsRequest struct {
	InvokeId        string `alibaba:"required"`
	NodeId          string
	IncludeOutput   bool
	ContentEncoding string
}

type describeInvocationsResponse struct {
	alibaba.Reply
	Invocations invocationSet
}

type invocationSet struct{ Invocation []invocation }

type invocation struct {
	InvokeId           string
	CommandName        string
	CommandDescription string
	CommandContent     string
	Parameters         string // JSON object as text
	RepeatMode         string
	Frequency          string
	Timeout            int64 // seconds
	Username           string
	WorkingDir         string
	CreationTime       string
	InvocationStatus   string
	InvokeStatus       string
	InvokeNodes        invokeNodeSet
}

type invokeNodeSet struct{ InvokeNode []invokeNode }

type invokeNode struct {
	NodeId           string
	InvocationStatus string
	NodeInvokeStatus string
	ErrorCode        string
	ErrorInfo        string
	ExitCode         *int64 `json:",omitempty"`
	Output           string
	Dropped          int64 // bytes
	Repeats          int64
	Timed            string // "true" or "false"
	CreationTime     string
	StartTime        string
	FinishTime       string
	StopTime         string
	UpdateTime       string
}

type sendFileRequest struct {
	alibaba.Envelope
	alibaba.FileOrder
	RegionId   string // not documented, but some clients send it with everything
	NodeIdList []string
}

type sendFileResponse struct {
	alibaba.Reply
	InvokeId string
}

type describeSendFileResultsRequest struct {
	InvokeId string `alibaba:"required"`
	NodeId   string
}

type describeSendFileResultsResponse struct {
	alibaba.Reply
	TotalCount  string // a number as text
	Invocations fileSet
}

type fileSet struct{ Invocation []file }

// file has no InvokeId.
type file struct {
	Name             string
	TargetDir        string
	Content          string
	ContentType      string
	Description      string
	FileOwner        string
	FileGroup        string
	FileMode         string
	Overwrite        bool
	NodeCount        int64
	CreationTime     string
	InvocationStatus string
	InvokeNodes      fileNodeSet
}

type fileNodeSet struct{ InvokeNode []fileNode }

type fileNode struct {
	NodeId           string
	InvocationStatus string
	ErrorCode        string
	ErrorInfo        string
	CreationTime     string
	StartTime        string
	FinishTime       string
	UpdateTime       string
}
