package ecs

import "errand/internal/api/alibaba"

type startTerminalSessionRequest struct {
	alibaba.Envelope
	located
	InstanceId        []string
	PortNumber        *int64
	TargetServer      string
	CommandLine       string
	Username          string
	PasswordName      string
	ConnectionType    string
	EncryptionOptions *encryptionOptions
	ClientToken       string
}

type encryptionOptions struct {
	Enabled  bool
	Mode     string
	KMSKeyId string
}

type startTerminalSessionResponse struct {
	alibaba.Reply
	SessionId     string
	SecurityToken string
	WebSocketUrl  string
}

type endTerminalSessionRequest struct {
	located
	SessionId string `alibaba:"required"`
}

type describeTerminalSessionsRequest struct {
	located
	SessionId  string
	InstanceId string
	MaxResults *int64
	NextToken  string
}

// describeTerminalSessionsResponse has no TotalCount.
type describeTerminalSessionsResponse struct {
	alibaba.Reply
	NextToken string
	Sessions  sessionSet
}

type sessionSet struct{ Session []session }

type session struct {
	SessionId    string
	CreationTime string
	Username     string
	TargetServer string
	ClientIP     string
	PrincipalId  string
	IdentityType string
	PortNumber   int64
	Connections  connectionSet
}

type connectionSet struct{ Connection []connection }

// connection has a reason only when it is over, and a detail only when it failed.
type connection struct {
	InstanceId   string
	Status       string
	ClosedReason string `json:",omitempty"`
	FailedDetail string `json:",omitempty"`
	StartTime    string
	EndTime      string
}
