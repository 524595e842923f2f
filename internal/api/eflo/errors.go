package eflo

import (
	"errand/internal/api/alibaba"
	"errand/internal/core"
)

// refusal is the product's answer to a refusal by the core.
func refusal(action string, e *core.Error) alibaba.Answer {
	field := e.Field
	switch action {
	case "TagResources", "UntagResources", "ListTagResources":
		if e.Reason == core.ReasonTagCount { // a request with too many is refused before
			return alibaba.TagQuota
		}
		if e.Reason == core.ReasonTargetNotFound {
			return alibaba.NoResource
		}
	}
	if e.Reason == core.ReasonMissing && field == "content" {
		field = "CommandContent"
	}
	return refusals[e.Reason].About(field)
}

var (
	noContent = alibaba.BadRequest("MissingParam.CommandContent", "The parameter CommandContent is missing or empty.")
	noNode    = alibaba.NotFound("InvalidNode.NotFound", "The specified node does not exist.")
)

// refusals is the answer to each reason for which the core refuses. The product's pages document no codes of its own, so these are those of
// ECS with machines called nodes.
var refusals = map[core.Reason]alibaba.Answer{
	core.ReasonInternal:     alibaba.InternalError,
	core.ReasonMissing:      alibaba.MissingParameter,
	core.ReasonInvalidValue: alibaba.InvalidParameter,
	core.ReasonTooSmall:     alibaba.InvalidParameter,
	core.ReasonTooLarge:     alibaba.InvalidParameter,
	core.ReasonTooLong:      alibaba.InvalidParameter,

	core.ReasonNameInvalid:        alibaba.InvalidParameter,
	core.ReasonNameTooLong:        alibaba.Forbidden("CmdName.ExceedLimit", "The length of the command name exceeds the upper limit."),
	core.ReasonNameTaken:          alibaba.OperationRefused, // two commands may have one name here
	core.ReasonDescriptionTooLong: alibaba.Forbidden("CmdDesc.ExceedLimit", "The length of the command description exceeds the upper limit."),
	core.ReasonContentDecode:      alibaba.BadRequest("CmdContent.DecodeError", "The CommandContent can not be base64 decoded."),
	core.ReasonContentTooLong:     alibaba.Forbidden("CmdContent.ExceedLimit", "The length of the command content exceeds the upper limit."),
	core.ReasonTypeUnknown:        alibaba.InvalidParameter, // there is only one type
	core.ReasonWorkDirInvalid:     alibaba.BadRequest("InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."),
	core.ReasonWorkDirTooLong:     alibaba.BadRequest("InvalidParameter.WorkingDir", "The specified parameter WorkingDir is not valid."),
	core.ReasonUserInvalid:        alibaba.BadRequest("InvalidParameter.Username", "The specified parameter Username is not valid."),
	core.ReasonUserTooLong:        alibaba.Forbidden("Username.ExceedLimit", "The length of the username exceeds the upper limit."),
	core.ReasonLauncherTooLong: alibaba.Forbidden(
		"InvalidLauncher.LengthLimitExceeded", "The length of the parameter Launcher exceeds the limit of 1 KB characters.",
	),
	core.ReasonTimeoutRange:     alibaba.Forbidden("InvalidTimeout.ExceedLimit", "The specified parameter Timeout exceeds the upper limit."),
	core.ReasonTerminationMode:  alibaba.NotFound("InvalidTerminationMode.NotFound", "The specified parameter TerminationMode does not exist."),
	core.ReasonRepeatMode:       alibaba.NotFound("InvalidRepeatMode.NotFound", "The specified repeat mode does not exist."),
	core.ReasonScheduleMissing:  alibaba.BadRequest("MissingParam.Frequency", "The frequency must be specified when you create a timed task."),
	core.ReasonScheduleExpired:  alibaba.BadRequest("InvalidParam.Frequency", "The specified frequency is invalid."),
	core.ReasonScheduleInvalid:  alibaba.BadRequest("InvalidParam.Frequency", "The specified frequency is invalid."),
	core.ReasonContainerInvalid: alibaba.InvalidParameter,

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
	core.ReasonParamNameEmpty:   notMatched, // no command defines such names
	core.ReasonParamNameInvalid: notMatched,
	core.ReasonParamNameTooLong: alibaba.Forbidden("ParameterKey.ExceedLimit", "The maximum length of a parameter name is exceeded."),
	core.ReasonParamDuplicate:   alibaba.Forbidden("ParameterKey.Duplicate", "Parameter names cannot be duplicated."),
	core.ReasonParamUndefined:   notMatched,
	core.ReasonParamMissing:     alibaba.BadRequest("Parameter.MissingValue", "The parameter value of this command is required."),
	core.ReasonParamValueType:   alibaba.Forbidden("ParameterType.NotSupported", "The type of parameter value is not supported."),

	core.ReasonTargetsMissing:        alibaba.BadRequest("MissingParam.NodeIdList", "The parameter NodeIdList is missing or empty."),
	core.ReasonTargetsTooMany:        alibaba.Forbidden("NodeIdList.ExceedLimit", "The number of node IDs exceeds the upper limit."),
	core.ReasonTargetNotFound:        noNode,
	core.ReasonTargetMalformed:       noNode,
	core.ReasonTargetPlatform:        alibaba.BadRequest("InvalidNode.NotMatch", "The specified node type does not match the command."),
	core.ReasonTargetNeverSeen:       alibaba.OperationRefused, // this vendor accepts commands for machines that are away
	core.ReasonTargetOffline:         alibaba.OperationRefused,
	core.ReasonTargetNotInInvocation: noNode,

	core.ReasonCommandNotFound:      alibaba.NotFound("InvalidCmdId.NotFound", "The specified command ID does not exist."),
	core.ReasonCommandInUse:         alibaba.OperationRefused,
	core.ReasonCommandScheduled:     alibaba.OperationRefused,
	core.ReasonInvocationNotFound:   alibaba.NotFound("InvalidInvokeId.NotFound", "The specified invoke ID does not exist."),
	core.ReasonScheduleNotFound:     alibaba.OperationRefused, // this vendor knows a schedule by its invocation
	core.ReasonRegistrationInUse:    alibaba.OperationRefused,
	core.ReasonRegistrationNotFound: alibaba.OperationRefused, // the product has no activations
	core.ReasonRegistrationRefused:  alibaba.OperationRefused,
	core.ReasonNodeTaken:            alibaba.OperationRefused,
	core.ReasonSessionNotFound: alibaba.NotFound(
		"InvalidSessionId.NotFound", "The specified parameter SessionId does not exist.",
	),
	core.ReasonSessionsDisabled: alibaba.Forbidden("UserBehavior.SessionManagerDisabled", "The api is disabled by user behavior."),

	core.ReasonPageNumber: alibaba.InvalidParameter, // pages have no numbers here
	core.ReasonPageSize:   alibaba.InvalidParameter,
	core.ReasonPageToken:  alibaba.BadRequest("InvalidParameter.NextToken", "The specified parameter NextToken is not valid."),
	core.ReasonFilter:     alibaba.InvalidParameter,

	core.ReasonTagCount:        alibaba.TooManyTags,
	core.ReasonTagDuplicate:    alibaba.TagDuplicate,
	core.ReasonTagKeyMissing:   alibaba.TagKeyMissing,
	core.ReasonTagKeyInvalid:   alibaba.TagKeyInvalid,
	core.ReasonTagValueInvalid: alibaba.TagValueInvalid,

	core.ReasonQuotaCommands:      alibaba.OperationRefused,
	core.ReasonQuotaRegistrations: alibaba.OperationRefused,
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

var notMatched = alibaba.Forbidden(
	"Parameter.NotMatched", "The passed-in parameters do not match the parameters defined when you created the command.",
)
