package ecs

import (
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// resourceTag stands in for an action in the variants: it is the list of labels that selects machines.
const resourceTag = "ResourceTag"

// tagging stands in for the three tag actions, which share most of their codes.
const tagging = "Tagging"

// refusal is the vendor's answer to a refusal by the core, in the variant of the action that was asked for.
func refusal(action string, e *core.Error) alibaba.Answer {
	a, ok := variants[variant{action, e.Reason}]
	switch action {
	case "TagResources", "UntagResources", "ListTagResources":
		if !ok {
			a, ok = variants[variant{tagging, e.Reason}]
		}
	case "ModifyCloudAssistantSettings":
		if !ok {
			a, ok = settingRefusals[settingFault{e.Reason, e.Field}]
		}
	case "StartTerminalSession":
		if !ok {
			a, ok = sessionRefusals[settingFault{e.Reason, e.Field}]
		}
	}
	if !ok {
		a = refusals[e.Reason]
	}
	field := e.Field
	if e.Reason == core.ReasonMissing {
		field = parameter(field)
	}
	return a.About(field)
}

// parameter is the vendor's name of a required parameter that the core found empty.
func parameter(field string) string {
	switch field {
	case "content":
		return "CommandContent"
	case "name":
		return "Name"
	default:
		return field
	}
}

// refusals is the answer to each reason for which the core refuses.
var refusals = map[core.Reason]alibaba.Answer{
	core.ReasonInternal:     alibaba.Broken("InternalError.Dispatch", "An error occurred when you dispatched the request."),
	core.ReasonMissing:      alibaba.MissingParameter,
	core.ReasonInvalidValue: alibaba.InvalidParameter,
	core.ReasonTooSmall:     alibaba.InvalidParameter,
	core.ReasonTooLarge:     alibaba.InvalidParameter,
	core.ReasonTooLong:      alibaba.InvalidParameter,

	core.ReasonNameInvalid: alibaba.Forbidden(
		"InvalidParameterCharacter.CommandName", "The command Name contains illegal characters.",
	),
	core.ReasonNameTooLong: alibaba.Forbidden("CmdName.ExceedLimit", "The length of the command name exceeds the upper limit."),
	core.ReasonNameTaken:   alibaba.OperationRefused, // two commands may have one name here
	core.ReasonDescriptionTooLong: alibaba.Forbidden(
		"CmdDesc.ExceedLimit", "The length of the command description exceeds the upper limit.",
	),
	core.ReasonContentDecode:  alibaba.BadRequest("CmdContent.DecodeError", "The CommandContent can not be base64 decoded."),
	core.ReasonContentTooLong: alibaba.Forbidden("CmdContent.ExceedLimit", "The length of the command content exceeds the upper limit."),
	core.ReasonTypeUnknown:    alibaba.NotFound("InvalidCmdType.NotFound", "The specified command type does not exist."),
	core.ReasonWorkDirInvalid: alibaba.Forbidden(
		"InvalidParameterCharacter.CommandWorkingDir", "The command WorkingDir contains illegal characters.",
	),
	core.ReasonWorkDirTooLong: alibaba.BadRequest("InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."),
	core.ReasonUserInvalid:    alibaba.BadRequest("InvalidParameter.Username", "The specified parameter Username is not valid."),
	core.ReasonUserTooLong:    alibaba.Forbidden("Username.ExceedLimit", "The length of the username exceeds the upper limit."),
	core.ReasonLauncherTooLong: alibaba.Forbidden(
		"InvalidLauncher.LengthLimitExceeded", "The length of the parameter Launcher exceeds the limit of 1 KB characters.",
	),
	core.ReasonTimeoutRange: alibaba.Forbidden(
		"InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit.",
	),
	core.ReasonTerminationMode: alibaba.NotFound(
		"InvalidTerminationMode.NotFound", "The specified parameter TerminationMode does not exist.",
	),
	core.ReasonRepeatMode: alibaba.NotFound("InvalidRepeatMode.NotFound", "The specified repeat mode does not exist."),
	core.ReasonScheduleMissing: alibaba.BadRequest(
		"MissingParam.Frequency", "The frequency must be specified when you create a timed task.",
	),
	core.ReasonScheduleExpired:  alibaba.BadRequest("InvalidParam.Frequency", "The specified frequency is invalid."),
	core.ReasonScheduleInvalid:  alibaba.BadRequest("InvalidParam.Frequency", "The specified frequency is invalid."),
	core.ReasonContainerInvalid: alibaba.BadRequest("Invalid{Name}.Malformed", "The specified parameter {Name} is not valid."),

	core.ReasonNotStanding:            alibaba.NotRepeating,
	core.ReasonAlreadyEnded:           alibaba.AlreadyFinished,
	core.ReasonFileNameTooLong:        alibaba.FileNameTooLong,
	core.ReasonFileDirInvalid:         alibaba.FileDirInvalid,
	core.ReasonFileTooLarge:           alibaba.FileTooLarge,
	core.ReasonFileDescriptionTooLong: alibaba.FileDescriptionTooLong,
	core.ReasonFileModeInvalid:        alibaba.FileModeInvalid,
	core.ReasonFileOwnerInvalid:       alibaba.FileOwnerInvalid,
	core.ReasonFileGroupInvalid:       alibaba.FileGroupInvalid,

	core.ReasonParamsDisabled: alibaba.BadRequest(
		"Parameter.Disabled", "Parameters cannot be passed in when the command customization function is disabled.",
	),
	core.ReasonParamsMalformed:  alibaba.BadRequest("InvalidParameter.Parameters", "The specified parameter Parameters is not valid."),
	core.ReasonParamCount:       alibaba.Forbidden("ParameterCount.ExceedLimit", "The maximum number of parameters is exceeded."),
	core.ReasonParamNameEmpty:   alibaba.ParamNameEmpty,
	core.ReasonParamNameInvalid: alibaba.ParamNameInvalid,
	core.ReasonParamNameTooLong: alibaba.Forbidden("ParameterKey.ExceedLimit", "The maximum length of a parameter name is exceeded."),
	core.ReasonParamDuplicate:   alibaba.Forbidden("ParameterKey.Duplicate", "Parameter names cannot be duplicated."),
	core.ReasonParamUndefined:   notMatched,
	core.ReasonParamMissing:     alibaba.BadRequest("Parameter.MissingValue", "The parameter value of this command is required."),
	core.ReasonParamValueType:   alibaba.Forbidden("ParameterType.NotSupported", "The type of parameter value is not supported."),

	core.ReasonTargetsMissing:  alibaba.BadRequest("MissingParam.InstanceId", "The parameter instanceId is missing or empty."),
	core.ReasonTargetsTooMany:  alibaba.Forbidden("InstanceIds.ExceedLimit", "The number of instance IDs exceeds the upper limit."),
	core.ReasonTargetNotFound:  noInstance,
	core.ReasonTargetMalformed: noInstance,
	core.ReasonTargetPlatform: alibaba.BadRequest(
		"InvalidInstance.NotMatch", "The specified instance type does not match the command.",
	),
	core.ReasonTargetNeverSeen:       alibaba.OperationRefused, // this vendor accepts commands for machines that are away
	core.ReasonTargetOffline:         alibaba.OperationRefused,
	core.ReasonTargetNotInInvocation: noInstanceID,

	core.ReasonCommandNotFound:      alibaba.NotFound("InvalidCmdId.NotFound", "The specified command ID does not exist."),
	core.ReasonCommandInUse:         alibaba.OperationRefused,
	core.ReasonCommandScheduled:     alibaba.OperationRefused,
	core.ReasonInvocationNotFound:   alibaba.NotFound("InvalidInvokeId.NotFound", "The specified invoke ID does not exist."),
	core.ReasonScheduleNotFound:     alibaba.OperationRefused, // this vendor knows a schedule by its invocation
	core.ReasonRegistrationInUse:    alibaba.Forbidden("ActivationId.InUse", "The specified activation id is in use."),
	core.ReasonRegistrationNotFound: alibaba.NotFound("ActivationId.NotFound", "The specified activation id does not exist."),
	core.ReasonRegistrationRefused:  alibaba.OperationRefused, // enrolment has a door of its own
	core.ReasonNodeTaken:            alibaba.OperationRefused,
	core.ReasonSessionNotFound: alibaba.NotFound(
		"InvalidSessionId.NotFound", "The specified parameter SessionId does not exist.",
	),
	core.ReasonSessionsDisabled: alibaba.Forbidden("UserBehavior.SessionManagerDisabled", "The api is disabled by user behavior."),

	core.ReasonPageNumber: alibaba.BadRequest("InvalidParam.PageNumber", "The specified parameter is invalid."),
	core.ReasonPageSize:   alibaba.BadRequest("InvalidParam.PageSize", "The specified parameter is invalid."),
	core.ReasonPageToken:  alibaba.BadRequest("InvalidParameter.NextToken", "The specified parameter NextToken is not valid."),
	core.ReasonFilter:     alibaba.InvalidParameter,

	core.ReasonTagCount:        alibaba.TooManyTags,
	core.ReasonTagDuplicate:    alibaba.TagDuplicate,
	core.ReasonTagKeyMissing:   alibaba.TagKeyMissing,
	core.ReasonTagKeyInvalid:   alibaba.TagKeyInvalid,
	core.ReasonTagValueInvalid: alibaba.TagValueInvalid,

	core.ReasonQuotaCommands: alibaba.Forbidden(
		"CmdCount.ExceedQuota", "The total number of commands in the current region exceeds the quota.",
	),
	core.ReasonQuotaRegistrations: alibaba.BadRequest(
		"ActivationCount.ExceedLimit", "The count of activation in current region exceeds the limit of 10.",
	),
	core.ReasonQuotaInvocations: alibaba.Forbidden(
		"Invocation.ExceedQuota", "The invocation quota in the current region has been reached for today.",
	),
	core.ReasonQuotaSessions: alibaba.Forbidden("SessionCount.ExceedLimit", "The number of sessions exceeds the upper limit."),
	core.ReasonQuotaObjects:  alibaba.OperationRefused,
	core.ReasonTokenInvalid:  alibaba.BadRequest("InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."),
	core.ReasonTokenMismatch: alibaba.Forbidden(
		"IdempotentParameterMismatch", "The specified parameter has changed while using an already used clientToken.",
	),
	core.ReasonTokenPending: alibaba.Forbidden("IdempotentProcessing", "The previous idempotent request(s) is still processing."),
	core.ReasonUnsupported:  alibaba.OperationRefused,

	core.ReasonRegionUnknown:  alibaba.NotFound("InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."),
	core.ReasonKeyUnknown:     alibaba.KeyUnknown,
	core.ReasonKeyDisabled:    alibaba.KeyInactive,
	core.ReasonKeyExpired:     alibaba.TokenExpired,
	core.ReasonLoginEnded:     alibaba.TokenExpired,
	core.ReasonDenied:         alibaba.Denied,
	core.ReasonThrottled:      alibaba.Throttled,
	core.ReasonAccessNotFound: alibaba.OperationRefused, // these are managed elsewhere
	core.ReasonUnknownAction:  alibaba.UnknownAction,
}

// Answers that stand in several places.
var (
	notMatched = alibaba.Forbidden(
		"Parameter.NotMatched", "The passed-in parameters do not match the parameters defined when you created the command.",
	)
	noInstance   = alibaba.NotFound("InvalidInstance.NotFound", "The specified instance does not exist.")
	noInstanceID = alibaba.NotFound("InvalidInstanceId.NotFound", "The specified parameter InstanceId does not exist.")
	noSettings   = alibaba.Broken("InternalError", "An error occurred when you dispatched the request.")
)

// noSettingsRegion is how the two actions for settings speak of a region.
var noSettingsRegion = alibaba.NotFound("InvalidRegionId.NotFound", "The specified parameter RegionId does not exist.")

// Answers to what only this vendor asks for.
var (
	noInstanceWithTags = alibaba.BadRequest(
		"InvalidResourceTag.InstanceNotFound", "InstanceIds are not found by the specified ResourceTag.",
	)
	targetsConflict = alibaba.BadRequest(
		"InvalidResourceTag.ConflictWithInstanceIds", "The specified param ResourceTag conflicts with InstanceId.",
	)
	passwordNameTooLong = alibaba.Forbidden(
		"WindowsPasswordName.ExceedLimit", "The length of the WindowsPasswordName exceeds the upper limit.",
	)
	passwordNameMissing = alibaba.Forbidden(
		"WindowsPasswordName.Missed", "WindowsPasswordName must be specified when you create a Windows task.",
	)
	joinsOutOfRange = alibaba.BadRequest(
		"ActivationLimitation.Invalid", "The specified parameter InstanceCount exceeds the limit of 1000.",
	)
	hoursOutOfRange = alibaba.BadRequest(
		"ActivationTTL.ExceedLimit", "The specified parameter TimeToLiveInHours exceeds the limit of 4.",
	)
	rangeInvalid = alibaba.BadRequest("AddressRange.InvalidPattern", "Address range should be ipv4 address or cidr.")
)

// variant is a reason for which one action answers differently from the others.
type variant struct {
	action string
	reason core.Reason
}

var variants = map[variant]alibaba.Answer{
	{"CreateActivation", core.ReasonDescriptionTooLong}: alibaba.BadRequest(
		"ActivationDesc.ExceedLimit", "Activation description length exceeds.",
	),
	{"CreateActivation", core.ReasonInternal}: alibaba.Broken(
		"InternalError.Dispatch", "An error occurred when dispatch the request.",
	),
	{"CreateActivation", core.ReasonNameInvalid}: alibaba.BadRequest(
		"InstanceName.InvalidPattern", "Default instance name prefix pattern invalid.",
	),
	{"CreateActivation", core.ReasonNameTooLong}: alibaba.BadRequest(
		"InstanceName.ExceedLimit", "Default instance name prefix length exceeds.",
	),

	{"DeregisterManagedInstance", core.ReasonTargetNotFound}: alibaba.NotFound(
		"InvalidInstance.NotFound", "The specified instance id does not exist.",
	),

	{"DescribeCloudAssistantStatus", core.ReasonPageNumber}: alibaba.Forbidden(
		"InvalidParam.PageNumber", "The specified parameter is invalid.",
	),
	{"DescribeCloudAssistantStatus", core.ReasonPageSize}: alibaba.Forbidden(
		"InvalidParam.PageSize", "The specified parameter is invalid.",
	),

	{"DescribeCommands", core.ReasonDescriptionTooLong}: alibaba.Forbidden(
		"InvalidDescription.LengthLimitExceeded", "The length of the parameter Description exceeds the upper limit.",
	),
	{"DescribeCommands", core.ReasonInternal}: alibaba.InternalError,
	{"DescribeCommands", core.ReasonNameTooLong}: alibaba.Forbidden(
		"InvalidName.LengthLimitExceeded", "The length of the parameter Name exceeds the upper limit.",
	),
	{"DescribeCommands", core.ReasonTypeUnknown}: alibaba.NotFound(
		"InvalidCommandType.NotFound", "The specified parameter Type does not exist.",
	),

	{"DescribeInvocationResults", core.ReasonInternal}: alibaba.InternalError,

	{"DescribeCloudAssistantSettings", core.ReasonInternal}:      noSettings,
	{"DescribeCloudAssistantSettings", core.ReasonRegionUnknown}: noSettingsRegion,

	{"InstallCloudAssistant", core.ReasonTargetPlatform}: alibaba.Forbidden(
		"InvalidInstanceId.OSTypeUnsupported",
		"The OS type of the instance {Name} corresponding to the parameter InstanceId does not support the operation.",
	),

	{"InvokeCommand", core.ReasonContentTooLong}: alibaba.Forbidden(
		"CmdContent.ExceedLimit", "The maximum length of a command is exceeded.",
	),
	{"InvokeCommand", core.ReasonParamNameEmpty}:   notMatched, // no command defines such names
	{"InvokeCommand", core.ReasonParamNameInvalid}: notMatched,
	{"InvokeCommand", core.ReasonWorkDirInvalid}: alibaba.BadRequest(
		"InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid.",
	),

	{"ListPluginStatus", core.ReasonInternal}: alibaba.InternalError,

	{"ModifyCloudAssistantSettings", core.ReasonInternal}:      noSettings,
	{"ModifyCloudAssistantSettings", core.ReasonRegionUnknown}: noSettingsRegion,

	{"ModifyManagedInstance", core.ReasonNameInvalid}: alibaba.BadRequest(
		"InstanceName.InvalidPattern", "The specified instance name pattern invalid.",
	),
	// The vendor's page cuts this code off; it is taken from CreateActivation.
	{"ModifyManagedInstance", core.ReasonNameTooLong}: alibaba.BadRequest(
		"InstanceName.ExceedLimit", "The specified instance name length exceeds.",
	),
	{"ModifyManagedInstance", core.ReasonTargetNotFound}: alibaba.NotFound(
		"InvalidInstance.NotFound", "The specified instances id does not exist.",
	),

	{"ListTagResources", core.ReasonTagKeyMissing}: alibaba.BadRequest(
		"InvalidTag.Mismatch", "The specified Tag.n.Key and Tag.n.Value are not match.",
	),

	{"ModifyInvocationAttribute", core.ReasonCommandNotFound}: alibaba.NotFound(
		"InvalidCommandId.NotFound", "The specified CommandId does not exist.",
	),
	{"ModifyInvocationAttribute", core.ReasonContentDecode}: alibaba.BadRequest(
		"InvalidCommandContent.DecodeError", "The specified parameter CommandContent can not be Base64 decoded.",
	),
	{"ModifyInvocationAttribute", core.ReasonInternal}: alibaba.Broken("InternalError", "An error occurred when you dispatched the request."),
	{"ModifyInvocationAttribute", core.ReasonInvocationNotFound}: alibaba.NotFound(
		"InvalidInvokeId.NotFound", "The specified parameter InvokeId does not exist.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamCount}: alibaba.Forbidden(
		"InvalidParameters.CountLimitExceeded", "The count of the parameter Parameters exceeds the limit of 10.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamDuplicate}: alibaba.BadRequest(
		"InvalidParameters.KeyDuplicate", "The key in the parameter Parameters cannot be duplicated.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamNameEmpty}: alibaba.BadRequest(
		"InvalidParameters.KeyEmpty", "The key in the parameter Parameters cannot be empty.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamNameInvalid}: alibaba.BadRequest(
		"InvalidParameters.KeyMalformed", "The key in the parameter Parameters is not valid.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamNameTooLong}: alibaba.Forbidden(
		"InvalidParameters.KeyLengthLimitExceeded", "The length of the key in the parameter Parameters exceeds the limit of 64 characters.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamUndefined}: alibaba.BadRequest(
		"InvalidParameters.KeyNotMatch", "The key in the parameter Parameters do not match those defined when creating the command.",
	),
	{"ModifyInvocationAttribute", core.ReasonParamValueType}: alibaba.Forbidden(
		"InvalidParameters.ValueTypeUnsupported", "The type of the value in the parameter Parameters is not supported.",
	),
	{"ModifyInvocationAttribute", core.ReasonQuotaCommands}: alibaba.Forbidden(
		"CommandLimitExceeded", "The count of command in current region exceeds the limit.",
	),
	{"ModifyInvocationAttribute", core.ReasonRegionUnknown}: alibaba.NotFound(
		"InvalidRegionId.NotFound", "The specified parameter RegionId does not exist.",
	),
	{"ModifyInvocationAttribute", core.ReasonScheduleInvalid}: alibaba.BadRequest(
		"InvalidParameter.Frequency", "The specified parameter Frequency is not valid.",
	),
	{"ModifyInvocationAttribute", core.ReasonTargetNotFound}: noInstanceID,
	{"ModifyInvocationAttribute", core.ReasonTargetPlatform}: alibaba.Forbidden(
		"InvalidInstanceId.OSTypeUnsupported",
		"The OS type of the instance corresponding to the parameter InstanceId does not support the specified command type.",
	),
	{"ModifyInvocationAttribute", core.ReasonTargetsTooMany}: alibaba.Forbidden(
		"InvalidInstanceId.CountLimitExceeded", "The count of the parameter InstanceId exceeds the limit of 100.",
	),

	{"SendFile", core.ReasonTargetNotFound}: alibaba.NotFound("InvalidInstance.NotFound", "The specified instances not found."),

	{"StartTerminalSession", core.ReasonTargetNotFound}: alibaba.NotFound("InvalidInstance.NotFound", "The specified instances not found."),
	{"StartTerminalSession", core.ReasonTargetPlatform}: alibaba.OperationRefused,

	{"StopInvocation", core.ReasonTargetNotFound}: noInstanceID,

	{"TagResources", core.ReasonTagCount}: alibaba.TagQuota,

	{tagging, core.ReasonCommandNotFound}:      alibaba.NoResource,
	{tagging, core.ReasonInvocationNotFound}:   alibaba.NoResource,
	{tagging, core.ReasonMissing}:              alibaba.NotFound("MissingParameter.{Name}", "You must specify {Name}."),
	{tagging, core.ReasonRegistrationNotFound}: alibaba.NoResource,
	{tagging, core.ReasonTargetNotFound}:       alibaba.NoResource,

	{resourceTag, core.ReasonTagCount}: alibaba.BadRequest(
		"NumberExceed.ResourceTags", "The maximum number of ResourceTags is exceeded.",
	),
	{resourceTag, core.ReasonTagDuplicate}: alibaba.BadRequest("Duplicate.ResourceTagKey", "The ResourceTag contains duplicate keys."),
	{resourceTag, core.ReasonTagKeyInvalid}: alibaba.BadRequest(
		"InvalidResourceTagKey.Malformed", "The specified ResourceTag key is not valid.",
	),
	{resourceTag, core.ReasonTagKeyMissing}: alibaba.BadRequest("MissingParameter.ResourceTagKey", "You must specify ResourceTag.N.Key."),
	{resourceTag, core.ReasonTagValueInvalid}: alibaba.BadRequest(
		"InvalidResourceTagValue.Malformed", "The specified ResourceTag value is not valid.",
	),
}

// sessionRefusals is the answer to each fault of an order for a terminal, in the words of StartTerminalSession.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-startterminalsession
var sessionRefusals = map[settingFault]alibaba.Answer{
	{core.ReasonInvalidValue, core.FieldSessionPort}: alibaba.BadRequest("PortNumber.Invalid", "The port number is invalid."),
	{core.ReasonInvalidValue, "PortNumber"}:          alibaba.BadRequest("PortNumber.Invalid", "The port number is invalid."),
	{core.ReasonMissing, core.FieldSessionPort}: alibaba.Forbidden(
		"InvalidTargetServer.MissingPortNumber", "The parameter PortNumber must be specified with parameter TargetServer.",
	),
	{core.ReasonUnsupported, core.FieldSessionPort}: alibaba.Forbidden(
		"PortForwarding.NotSupported", "Port forwarding is not supported currently.",
	),
	{core.ReasonInvalidValue, core.FieldSessionCommand}: alibaba.Forbidden(
		"InvalidCommandLine.Conflict", "The parameter PortNumber or TargetServer cannot be specified with parameter CommandLine.",
	),
	{core.ReasonTooLong, core.FieldSessionCommand}: alibaba.Forbidden(
		"InvalidCommandLine.LengthLimitExceeded", "The length of the parameter CommandLine exceeded the limit of 512 characters.",
	),
	{core.ReasonTooLong, core.FieldSessionHost}: alibaba.Forbidden(
		"InvalidTargetServer.LengthLimitExceeded", "The length of the parameter TargetServer exceeded the limit of 128 characters.",
	),
	{core.ReasonUnsupported, core.FieldSessionHost}: alibaba.Forbidden(
		"InvalidOperation.SecurityGroupRuleDenied",
		"The operation is not allowed by the security group inbound rules of the specified instance.",
	),
	{core.ReasonTooLong, core.FieldSessionPassword}: alibaba.Forbidden(
		"InvalidPasswordName.LengthLimitExceeded", "The length of the parameter PasswordName exceeds the limit of 255 characters.",
	),
	{core.ReasonTooLong, core.FieldSessionNodes}: alibaba.Forbidden(
		"InvalidInstanceIds.CountLimitExceeded",
		"The count of Instances exceeded the maximum limit of 1 when TargetServer or CommandLine parameter was specified.",
	),
	{core.ReasonInvalidValue, core.FieldSessionNetwork}:    badSetting("ConnectionType", "ConnectionType"),
	{core.ReasonInvalidValue, core.FieldSessionEncryption}: badSetting("EncryptionOptions", "EncryptionOptions"),
}

// settingFault is what the core does not like about a setting, or a part of an order for a terminal.
type settingFault struct {
	reason core.Reason
	field  string
}

// settingRefusals is the answer to each, in the words of ModifyCloudAssistantSettings. Those for ResourceUsageConfig are not documented.
// https://www.alibabacloud.com/help/en/ecs/developer-reference/api-ecs-2014-05-26-modifycloudassistantsettings
var settingRefusals = map[settingFault]alibaba.Answer{
	{core.ReasonMissing, core.FieldUpgradeWindows}: alibaba.BadRequest(
		"InvalidAllowedUpgradeWindow.Required", "The specified parameter AgentUpgradeConfig.AllowedUpgradeWindow is required.",
	),
	{core.ReasonTooLong, core.FieldUpgradeWindows}: alibaba.Forbidden(
		"InvalidAllowedUpgradeWindow.CountLimitExceeded",
		"The count of the parameter AgentUpgradeConfig.AllowedUpgradeWindow exceeds the limit of 5.",
	),
	{core.ReasonTooSmall, core.FieldUpgradeWindows}: alibaba.BadRequest(
		"InvalidAllowedUpgradeWindow.DurationTooShort",
		"The duration of the specified parameter AgentUpgradeConfig.AllowedUpgradeWindow cannot be less than one hour.",
	),
	{core.ReasonInvalidValue, core.FieldUpgradeWindows}: badSetting("AllowedUpgradeWindow", "AgentUpgradeConfig.AllowedUpgradeWindow"),
	{core.ReasonInvalidValue, core.FieldUpgradeZone}:    badSetting("TimeZone", "AgentUpgradeConfig.TimeZone"),

	{core.ReasonInvalidValue, core.FieldBucket}:     badSetting("OssBucketName", "OssDeliveryConfig.BucketName"),
	{core.ReasonInvalidValue, core.FieldPrefix}:     badSetting("OssPrefix", "OssDeliveryConfig.Prefix"),
	{core.ReasonTooLong, core.FieldPrefix}:          badSetting("OssPrefix", "OssDeliveryConfig.Prefix"),
	{core.ReasonInvalidValue, core.FieldEncryption}: badSetting("OssEncryptionType", "OssDeliveryConfig.EncryptionType"),
	{core.ReasonInvalidValue, core.FieldAlgorithm}:  badSetting("OssEncryptionAlgorithm", "OssDeliveryConfig.EncryptionAlgorithm"),
	{core.ReasonUnsupported, core.FieldAlgorithm}: alibaba.Forbidden(
		"InvalidOperation.OssEncryptionUnsupported", "The configuration of OSS Encryption is not supported.",
	),
	{core.ReasonInvalidValue, core.FieldKeyID}: badSetting("OssEncryptionKeyId", "OssDeliveryConfig.EncryptionKeyId"),
	{core.ReasonUnsupported, core.FieldSessions}: alibaba.Forbidden(
		"InvalidOperation.SessionManagerDeliveryUnsupported", "The delivery configuration of Session Manager is not supported.",
	),

	{core.ReasonInvalidValue, core.FieldLogProject}: badSetting("SlsProjectName", "SlsDeliveryConfig.ProjectName"),
	{core.ReasonUnsupported, core.FieldLogProject}: alibaba.NotFound(
		"InvalidSlsProjectName.NotFound", "The specified parameter SlsDeliveryConfig.ProjectName does not exist.",
	),
	{core.ReasonInvalidValue, core.FieldLogStore}: badSetting("SlsLogstoreName", "SlsDeliveryConfig.LogstoreName"),

	{core.ReasonTooSmall, core.FieldCPU}:         badUsage("CpuLimit"),
	{core.ReasonTooLarge, core.FieldCPU}:         badUsage("CpuLimit"),
	{core.ReasonInvalidValue, core.FieldMemory}:  badUsage("MemoryLimit"),
	{core.ReasonTooSmall, core.FieldMemory}:      badUsage("MemoryLimit"),
	{core.ReasonTooLarge, core.FieldMemory}:      badUsage("MemoryLimit"),
	{core.ReasonTooSmall, core.FieldOverloads}:   badUsage("OverloadLimit"),
	{core.ReasonTooLarge, core.FieldOverloads}:   badUsage("OverloadLimit"),
	{core.ReasonTooSmall, core.FieldLogFiles}:    badUsage("LogFileCountLimit"),
	{core.ReasonTooLarge, core.FieldLogFiles}:    badUsage("LogFileCountLimit"),
	{core.ReasonInvalidValue, core.FieldLogSize}: badUsage("LogSizeLimit"),
	{core.ReasonTooSmall, core.FieldLogSize}:     badUsage("LogSizeLimit"),
	{core.ReasonTooLarge, core.FieldLogSize}:     badUsage("LogSizeLimit"),
}

func badSetting(name, path string) alibaba.Answer {
	return alibaba.BadRequest("InvalidParameter."+name, "The specified parameter "+path+" is not valid.")
}

func badUsage(name string) alibaba.Answer { return badSetting(name, "ResourceUsageConfig."+name) }
