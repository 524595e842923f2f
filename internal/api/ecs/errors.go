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
	core.ReasonScheduleInvalid:  alibaba.BadRequest("InvalidParam.Frequency", "The specified frequency is invalid."),
	core.ReasonContainerInvalid: alibaba.BadRequest("Invalid{Name}.Malformed", "The specified parameter {Name} is not valid."),

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
	core.ReasonInvocationNotFound:   alibaba.NotFound("InvalidInvokeId.NotFound", "The specified invoke ID does not exist."),
	core.ReasonRegistrationInUse:    alibaba.Forbidden("ActivationId.InUse", "The specified activation id is in use."),
	core.ReasonRegistrationNotFound: alibaba.NotFound("ActivationId.NotFound", "The specified activation id does not exist."),
	core.ReasonRegistrationRefused:  alibaba.OperationRefused, // enrolment has a door of its own
	core.ReasonNodeTaken:            alibaba.OperationRefused,

	core.ReasonPageNumber: alibaba.BadRequest("InvalidParam.PageNumber", "The specified parameter is invalid."),
	core.ReasonPageSize:   alibaba.BadRequest("InvalidParam.PageSize", "The specified parameter is invalid."),
	core.ReasonPageToken:  alibaba.BadRequest("InvalidParameter.NextToken", "The specified parameter NextToken is not valid."),
	core.ReasonFilter:     alibaba.InvalidParameter,

	core.ReasonTagCount:        tooManyTags,
	core.ReasonTagDuplicate:    alibaba.BadRequest("Duplicate.TagKey", "The Tag.N.Key contain duplicate key."),
	core.ReasonTagKeyMissing:   alibaba.BadRequest("MissingParameter.TagKey", "You must specify Tag.N.Key."),
	core.ReasonTagKeyInvalid:   alibaba.BadRequest("InvalidTagKey.Malformed", "The specified Tag.n.Key is not valid."),
	core.ReasonTagValueInvalid: alibaba.BadRequest("InvalidTagValue.Malformed", "The specified Tag.n.Value is not valid."),

	core.ReasonQuotaCommands: alibaba.Forbidden(
		"CmdCount.ExceedQuota", "The total number of commands in the current region exceeds the quota.",
	),
	core.ReasonQuotaRegistrations: alibaba.BadRequest(
		"ActivationCount.ExceedLimit", "The count of activation in current region exceeds the limit of 10.",
	),
	core.ReasonTokenInvalid: alibaba.BadRequest("InvalidClientToken.Malformed", "The specified parameter clientToken is not valid."),
	core.ReasonTokenMismatch: alibaba.Forbidden(
		"IdempotentParameterMismatch", "The specified parameter has changed while using an already used clientToken.",
	),

	core.ReasonRegionUnknown: alibaba.NotFound("InvalidRegionId.NotFound", "The RegionId provided does not exist in our records."),
	core.ReasonKeyUnknown:    alibaba.KeyUnknown,
	core.ReasonKeyDisabled:   alibaba.KeyInactive,
	core.ReasonKeyExpired:    alibaba.TokenExpired,
	core.ReasonDenied:        alibaba.Denied,
	core.ReasonThrottled:     alibaba.Throttled,
	core.ReasonUnknownAction: alibaba.UnknownAction,
}

// Answers that stand in several places.
var (
	notMatched = alibaba.Forbidden(
		"Parameter.NotMatched", "The passed-in parameters do not match the parameters defined when you created the command.",
	)
	noInstance   = alibaba.NotFound("InvalidInstance.NotFound", "The specified instance does not exist.")
	noInstanceID = alibaba.NotFound("InvalidInstanceId.NotFound", "The specified parameter InstanceId does not exist.")
	tooManyTags  = alibaba.BadRequest("NumberExceed.Tags", "The Tags parameter number is exceed.")
	noResource   = alibaba.NotFound("InvalidResourceId.NotFound", "The specified ResourceIds are not found in our records.")
)

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
	noResourceType = alibaba.NotFound(
		"InvalidResourceType.NotFound", "The ResourceType provided does not exist in our records.",
	)
	tooManyResources = alibaba.BadRequest(
		"NumberExceed.ResourceIds", "The ResourceIds parameter's number is exceed , Valid : 50",
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

	{"InvokeCommand", core.ReasonContentTooLong}: alibaba.Forbidden(
		"CmdContent.ExceedLimit", "The maximum length of a command is exceeded.",
	),
	{"InvokeCommand", core.ReasonParamNameEmpty}:   notMatched, // no command defines such names
	{"InvokeCommand", core.ReasonParamNameInvalid}: notMatched,
	{"InvokeCommand", core.ReasonWorkDirInvalid}: alibaba.BadRequest(
		"InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid.",
	),

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

	{"StopInvocation", core.ReasonTargetNotFound}: noInstanceID,

	{"TagResources", core.ReasonTagCount}: alibaba.Forbidden(
		"QuotaExceed.Tags", "The quota of tags on resource is beyond permitted range.",
	),

	{tagging, core.ReasonCommandNotFound}:      noResource,
	{tagging, core.ReasonInvocationNotFound}:   noResource,
	{tagging, core.ReasonMissing}:              alibaba.NotFound("MissingParameter.{Name}", "You must specify {Name}."),
	{tagging, core.ReasonRegistrationNotFound}: noResource,
	{tagging, core.ReasonTargetNotFound}:       noResource,

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
