package ecs

import "errand/internal/api/alibaba"

// The structs below have the vendor's fields under the vendor's names. Lists are never nil, so that they appear as [] and not as null.

type tag struct{ TagKey, TagValue string }

type tagSet struct{ Tag []tag }

type createCommandRequest struct {
	located
	alibaba.Envelope
	alibaba.Script
	Type            string `alibaba:"required"`
	WorkingDir      string
	Launcher        string
	Timeout         *int64 // seconds
	ResourceGroupId string
	ClientToken     string
	Tag             []alibaba.Tag
}

type createCommandResponse struct {
	alibaba.Reply
	CommandId string
}

type modifyCommandRequest struct {
	located
	CommandId   string `alibaba:"required"`
	Name        *string
	Description *string
	WorkingDir  *string
	Launcher    *string
	Timeout     *int64 // seconds

	CommandContent string // not looked at: the content of a command stays as it is
}

type deleteCommandRequest struct {
	located
	CommandId string `alibaba:"required"`
}

type describeCommandsRequest struct {
	located
	paging
	CommandId       string
	Name            string
	Description     string
	Type            string
	Provider        string
	Latest          bool // of public commands, of which there are none
	ContentEncoding string
	ResourceGroupId string
	Tag             []alibaba.Tag
}

type describeCommandsResponse struct {
	alibaba.Reply
	paged
	Commands commandSet
}

type commandSet struct{ Command []command }

type command struct {
	CommandId            string
	Name                 string
	Type                 string
	Description          string
	CommandContent       string
	WorkingDir           string
	Launcher             string
	Timeout              int64 // seconds
	EnableParameter      bool
	ParameterNames       parameterNames
	ParameterDefinitions parameterDefinitions
	InvokeTimes          int64
	CreationTime         string
	Provider             string
	Category             string
	ResourceGroupId      string
	Tags                 tagSet
}

type parameterNames struct{ ParameterName []string }

type parameterDefinitions struct{ ParameterDefinition []parameterDefinition }

type parameterDefinition struct {
	ParameterName  string
	Description    string
	DefaultValue   string
	PatternRegex   string
	Required       bool
	PossibleValues possibleValues
}

type possibleValues struct{ PossibleValue []string }

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

type describeCloudAssistantStatusRequest struct {
	located
	paging
	InstanceId []string
	OSType     string
}

type describeCloudAssistantStatusResponse struct {
	alibaba.Reply
	paged
	InstanceCloudAssistantStatusSet assistantSet
}

type assistantSet struct{ InstanceCloudAssistantStatus []assistant }

type assistant struct {
	InstanceId            string
	CloudAssistantStatus  string // "true" or "false"
	CloudAssistantVersion string
	LastHeartbeatTime     string
	LastInvokedTime       string
	InvocationCount       int64
	ActiveTaskCount       int64
	OSType                string
	SupportSessionManager bool
}

type describeManagedInstancesRequest struct {
	located
	paging
	InstanceId      []string
	InstanceName    string
	InstanceIp      string
	OsType          string
	ActivationId    string
	MachineId       string
	Connected       *bool
	ResourceGroupId string
	Tag             []alibaba.Tag
}

type describeManagedInstancesResponse struct {
	alibaba.Reply
	paged
	Instances []listedInstance
}

type listedInstance struct {
	managedInstance
	Connected bool
	Tags      []tag
}

type managedInstance struct {
	InstanceId       string
	InstanceName     string
	Hostname         string
	ActivationId     string
	AgentVersion     string
	MachineId        string
	OsType           string
	OsVersion        string
	InternetIp       string
	IntranetIp       string
	RegistrationTime string
	LastInvokedTime  string
	InvocationCount  int64
	ResourceGroupId  string
}

type modifyManagedInstanceRequest struct {
	located
	InstanceId   string `alibaba:"required"`
	InstanceName string `alibaba:"required"`
}

type modifyManagedInstanceResponse struct {
	alibaba.Reply
	Instance renamedInstance
}

type renamedInstance struct{ InstanceId, InstanceName string }

type deregisterManagedInstanceRequest struct {
	located
	alibaba.Envelope
	InstanceId  string `alibaba:"required"`
	ClientToken string
}

type deregisterManagedInstanceResponse struct {
	alibaba.Reply
	Instance managedInstance
}

type createActivationRequest struct {
	located
	alibaba.Envelope
	InstanceCount     *int64
	TimeToLiveInHours *int64
	InstanceName      string
	Description       string
	IpAddressRange    string
	ResourceGroupId   string
	ClientToken       string
	Tag               []alibaba.Tag
}

type createActivationResponse struct {
	alibaba.Reply
	ActivationId   string
	ActivationCode string
}

type describeActivationsRequest struct {
	located
	paging
	ActivationId    string
	InstanceName    string
	ResourceGroupId string
	Tag             []alibaba.Tag
}

type describeActivationsResponse struct {
	alibaba.Reply
	paged
	ActivationList []listedActivation
}

type listedActivation struct {
	activation
	Disabled        bool
	ResourceGroupId string
	Tags            []tag
}

type activation struct {
	ActivationId      string
	InstanceName      string
	Description       string
	IpAddressRange    string
	CreationTime      string
	InstanceCount     int64
	RegisteredCount   int64
	DeregisteredCount int64
	TimeToLiveInHours int64
}

// activationRequest is the request of DisableActivation and DeleteActivation.
type activationRequest struct {
	located
	ActivationId string `alibaba:"required"`
}

type disableActivationResponse struct {
	alibaba.Reply
	Activation disabledActivation
}

type disabledActivation struct {
	activation
	Disabled bool
}

type deleteActivationResponse struct {
	alibaba.Reply
	Activation activation
}

type describeInstancesRequest struct {
	located
	paging
	InstanceIds        string // JSON array
	InstanceName       string // * stands for any text
	Status             string
	ZoneId             string
	PrivateIpAddresses string // JSON array
	ResourceGroupId    string
	Tag                []alibaba.Tag
}

type describeInstancesResponse struct {
	alibaba.Reply
	paged
	Instances instanceSet
}

type instanceSet struct{ Instance []instance }

// instance has the fields of the vendor's that clients of its Cloud Assistant read. Agents do not report how large a machine is, and neither
// the network nor the part of a region that it is in has an id; those fields stay empty.
type instance struct {
	InstanceId      string
	InstanceName    string
	HostName        string
	RegionId        string
	ZoneId          string
	Status          string
	OSType          string
	OSName          string
	CreationTime    string
	StartTime       string
	InstanceType    string
	ResourceGroupId string
	Cpu             int64 // cores
	Memory          int64 // MiB
	VpcAttributes   vpcAttributes
	PublicIpAddress addressSet
	InnerIpAddress  addressSet // of a kind of network the vendor gave up
	Tags            tagSet
}

type vpcAttributes struct {
	VpcId            string
	VSwitchId        string
	PrivateIpAddress addressSet
}

type addressSet struct{ IpAddress []string }

type describeInstanceStatusRequest struct {
	located
	paging
	InstanceId []string
	ZoneId     string
}

type describeInstanceStatusResponse struct {
	alibaba.Reply
	paged
	InstanceStatuses instanceStatusSet
}

type instanceStatusSet struct{ InstanceStatus []instanceStatus }

type instanceStatus struct{ InstanceId, Status string }

type describeRegionsRequest struct {
	alibaba.Envelope
	AcceptLanguage string
}

type describeRegionsResponse struct {
	alibaba.Reply
	Regions regionSet
}

type regionSet struct{ Region []region }

type region struct {
	RegionId       string
	RegionEndpoint string
	LocalName      string
	Status         string
}

// taggedResources is what the requests of all tag actions begin with.
type taggedResources struct {
	located
	ResourceType string `alibaba:"required"`
	ResourceId   []string
}

type tagResourcesRequest struct {
	taggedResources
	Tag []alibaba.Tag
}

type untagResourcesRequest struct {
	taggedResources
	TagKey []string
	All    bool // only looked at without TagKey
}

type listTagResourcesRequest struct {
	taggedResources
	Tag       []alibaba.Tag
	TagFilter []tagFilter
	NextToken string
}

type tagFilter struct {
	TagKey    string
	TagValues []string
}

type listTagResourcesResponse struct {
	alibaba.Reply
	NextToken    string
	TagResources tagResourceSet
}

type tagResourceSet struct{ TagResource []tagResource }

type tagResource struct{ ResourceId, ResourceType, TagKey, TagValue string }
