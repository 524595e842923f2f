package tat

// The structures of the API. Field names are the vendor's own, letter for letter, so that they need no tags. In requests, a nil pointer or
// slice was not sent; an empty one was. In answers, only the times that the vendor's pages allow to be null are pointers.

// placed is part of requests that make something, which then lies in a region.
type placed struct{ region string }

func (p *placed) place(region string) { p.region = region }

// answer is part of every response.
type answer struct{ RequestId string }

func (a *answer) stamp(id string) { a.RequestId = id }

type tag struct{ Key, Value string }

type filter struct {
	Name   string
	Values []string
}

// listing is part of the requests that list something.
type listing struct {
	Filters []filter
	Limit   *int64
	Offset  *int64
}

type parameterConf struct {
	ParameterName        *string
	ParameterValue       *string
	ParameterDescription *string
}

// commandFields define what a command does.
type commandFields struct {
	CommandName           *string
	Content               *string // Base64
	Description           *string
	CommandType           *string
	DefaultParameters     *string // a JSON object as text
	DefaultParameterConfs []parameterConf
	placeFields
}

// placeFields are those that a single run may change.
type placeFields struct {
	WorkingDirectory   *string
	Timeout            *int64 // seconds
	Username           *string
	OutputCOSBucketUrl *string
	OutputCOSKeyPrefix *string
}

type createCommandRequest struct {
	placed
	commandFields
	EnableParameter bool
	Tags            []tag
}

type createCommandResponse struct {
	answer
	CommandId string
}

type modifyCommandRequest struct {
	CommandId *string
	commandFields
}

type deleteCommandRequest struct{ CommandId *string }

type deleteCommandsRequest struct{ CommandIds []string }

type emptyResponse struct{ answer }

type describeCommandsRequest struct {
	CommandIds []string
	listing
}

type describeCommandsResponse struct {
	answer
	TotalCount int
	CommandSet []command
}

type shownParameterConf struct{ ParameterName, ParameterValue, ParameterDescription string }

type command struct {
	CommandId             string
	CommandName           string
	Description           string
	Content               string
	CommandType           commandType
	WorkingDirectory      string
	Timeout               int64
	CreatedTime           string
	UpdatedTime           string
	EnableParameter       bool
	DefaultParameters     string
	DefaultParameterConfs []shownParameterConf
	Scenes                []string
	FormattedDescription  string
	CreatedBy             string
	Tags                  []tag
	Username              string
	OutputCOSBucketUrl    string
	OutputCOSKeyPrefix    string
}

type previewRequest struct {
	CommandId  *string
	Content    *string
	Parameters *string
}

type previewResponse struct {
	answer
	ReplacedContent string
}

type runCommandRequest struct {
	placed
	commandFields
	InstanceIds     []string
	SaveCommand     bool
	EnableParameter bool
	Parameters      *string
	Tags            []tag
}

type runCommandResponse struct {
	answer
	CommandId    string
	InvocationId string
}

type invokeCommandRequest struct {
	placed
	placeFields
	CommandId   *string
	InstanceIds []string
	Parameters  *string
}

type invokeCommandResponse struct {
	answer
	InvocationId string
}

type cancelInvocationRequest struct {
	InvocationId *string
	InstanceIds  []string
}

type describeInvocationsRequest struct {
	InvocationIds []string
	listing
}

type describeInvocationsResponse struct {
	answer
	TotalCount    int
	InvocationSet []invocation
}

type invocation struct {
	InvocationId               string
	CommandId                  string
	InvocationStatus           invocationStatus
	InvocationTaskBasicInfoSet []taskBasicInfo
	Description                string
	StartTime                  *string
	EndTime                    *string
	CreatedTime                string
	UpdatedTime                string
	Parameters                 string
	DefaultParameters          string
	InstanceKind               string
	Username                   string
	InvocationSource           string
	CommandContent             string
	CommandType                commandType
	Timeout                    int64
	WorkingDirectory           string
	OutputCOSBucketUrl         string
	OutputCOSKeyPrefix         string
	CommandName                string
}

type taskBasicInfo struct {
	InvocationTaskId string
	TaskStatus       taskStatus
	InstanceId       string
}

type describeInvocationTasksRequest struct {
	InvocationTaskIds []string
	listing
	HideOutput *bool // true unless sent
}

type describeInvocationTasksResponse struct {
	answer
	TotalCount        int
	InvocationTaskSet []invocationTask
}

type invocationTask struct {
	InvocationId     string
	InvocationTaskId string
	CommandId        string
	TaskStatus       taskStatus
	InstanceId       string
	TaskResult       taskResult
	StartTime        *string
	EndTime          *string
	CreatedTime      string
	UpdatedTime      string
	CommandDocument  commandDocument
	ErrorInfo        string
	InvocationSource string
	CommandName      string
}

type taskResult struct {
	ExitCode                 int64
	Output                   string // Base64
	ExecStartTime            *string
	ExecEndTime              *string
	Dropped                  uint64
	OutputUrl                string
	OutputUploadCOSErrorInfo string
}

type commandDocument struct {
	Content            string // Base64
	CommandType        commandType
	Timeout            int64
	WorkingDirectory   string
	Username           string
	OutputCOSBucketUrl string
	OutputCOSKeyPrefix string
}

type describeAgentStatusRequest struct {
	InstanceIds []string
	listing
}

type describeAgentStatusResponse struct {
	answer
	AutomationAgentSet []agentInfo
	TotalCount         int
}

type agentInfo struct {
	InstanceId        string
	Version           string
	LastHeartbeatTime string
	AgentStatus       string
	Environment       string
	SupportFeatures   []string
}

type describeQuotasRequest struct{ ResourceNames []string }

type describeQuotasResponse struct {
	answer
	GeneralResourceQuotaSet []quota
}

type quota struct {
	ResourceName       string
	ResourceQuotaUsed  int64
	ResourceQuotaTotal int64
}

type describeScenesRequest struct {
	SceneIds []string
	listing
}

type describeScenesResponse struct {
	answer
	TotalCount int
	SceneSet   []struct{} // always empty
}

type describeRegionsRequest struct{}

type describeRegionsResponse struct {
	answer
	TotalCount int
	RegionSet  []regionInfo
}

type regionInfo struct{ Region, RegionName, RegionState string }

type createRegisterCodeRequest struct {
	placed
	Description        string
	InstanceNamePrefix string
	RegisterLimit      *int64
	EffectiveTime      *int64 // hours
	IpAddressRange     string
}

type createRegisterCodeResponse struct {
	answer
	RegisterCodeId    string
	RegisterCodeValue string
}

// registerCodesRequest is what disables or deletes codes.
type registerCodesRequest struct{ RegisterCodeIds []string }

type describeRegisterCodesRequest struct {
	RegisterCodeIds []string
	Offset          *int64
	Limit           *int64
}

type describeRegisterCodesResponse struct {
	answer
	TotalCount      int
	RegisterCodeSet []registerCodeInfo
}

type registerCodeInfo struct {
	RegisterCodeId     string
	Description        string
	InstanceNamePrefix string
	RegisterLimit      int64
	ExpiredTime        *string
	IpAddressRange     string
	Enabled            bool
	RegisteredCount    int64
	CreatedTime        string
	UpdatedTime        string
}

type modifyRegisterInstanceRequest struct {
	InstanceId   *string
	InstanceName *string
}

type deleteRegisterInstanceRequest struct{ InstanceId *string }

type describeRegisterInstancesRequest struct {
	InstanceIds []string
	listing
}

type describeRegisterInstancesResponse struct {
	answer
	TotalCount          int
	RegisterInstanceSet []registerInstanceInfo
}

type registerInstanceInfo struct {
	RegisterCodeId string
	InstanceId     string
	InstanceName   string
	MachineId      string
	SystemName     string
	HostName       string
	LocalIp        string
	PublicKey      string
	Status         string
	CreatedTime    string
	UpdatedTime    string
	Tags           []tag
}

// invokerFields define what an invoker runs and when.
type invokerFields struct {
	Name             *string
	Type             *string
	CommandId        *string
	InstanceIds      []string
	Username         *string
	Parameters       *string // a JSON object as text
	ScheduleSettings *scheduleSettings
}

type scheduleSettings struct {
	Policy     *string
	Recurrence *string // five crontab fields
	InvokeTime *string
}

type createInvokerRequest struct {
	placed
	invokerFields
	Tags []tag
}

type createInvokerResponse struct {
	answer
	InvokerId string
}

type modifyInvokerRequest struct {
	InvokerId *string
	invokerFields
}

// invokerRequest is what deletes, enables or disables an invoker.
type invokerRequest struct{ InvokerId *string }

type describeInvokersRequest struct {
	InvokerIds []string
	listing
}

type describeInvokersResponse struct {
	answer
	TotalCount int
	InvokerSet []invoker
}

type invoker struct {
	InvokerId        string
	Name             string
	Type             string
	CommandId        string
	Username         string
	Parameters       string
	InstanceIds      []string
	Enable           bool
	ScheduleSettings shownScheduleSettings
	CreatedTime      string
	UpdatedTime      string
	Tags             []tag
}

type shownScheduleSettings struct{ Policy, Recurrence, InvokeTime string }

type describeInvokerRecordsRequest struct {
	InvokerIds []string
	Limit      *int64
	Offset     *int64
}

type describeInvokerRecordsResponse struct {
	answer
	TotalCount       int
	InvokerRecordSet []invokerRecord
}

type invokerRecord struct {
	InvokerId    string
	InvokeTime   string
	Reason       string
	InvocationId string
	Result       invocationStatus
}
