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
