package tat

import (
	"errors"
	"fmt"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// code is an error code of the vendor.
type code string

// The codes that all of the vendor's services share, as far as something here leads to them.
// https://www.tencentcloud.com/document/product/1147/46707
const (
	codeInvalidAuthorization code = "AuthFailure.InvalidAuthorization"
	codeKeyShape             code = "AuthFailure.InvalidSecretId"
	codeKeyUnknown           code = "AuthFailure.SecretIdNotFound"
	codeSignatureExpire      code = "AuthFailure.SignatureExpire"
	codeSignatureFailure     code = "AuthFailure.SignatureFailure"
	codeTemporaryKey         code = "AuthFailure.TokenFailure"
	codeInternal             code = "InternalError"
	codeInvalidAction        code = "InvalidAction"
	codeInvalidParameter     code = "InvalidParameter"
	codeInvalidValue         code = "InvalidParameterValue"
	codeInvalidRequest       code = "InvalidRequest"
	codeLimitExceeded        code = "LimitExceeded"
	codeMissingParameter     code = "MissingParameter"
	codeNoSuchVersion        code = "NoSuchVersion"
	codeRequestLimit         code = "RequestLimitExceeded"
	codeRequestSize          code = "RequestSizeLimitExceeded"
	codeResourceInUse        code = "ResourceInUse"
	codeUnknownParameter     code = "UnknownParameter"
	codeUnsupportedProtocol  code = "UnsupportedProtocol"
	codeUnsupportedRegion    code = "UnsupportedRegion"
)

// The codes of this service.
const (
	codeTagOperation       code = "FailedOperation.TagOperationFailed"
	codeNoFilter           code = "InvalidFilter"
	codeConflict           code = "InvalidParameter.ConflictParameter"
	codeUserOfRun          code = "InvalidParameter.InvalidUsername"
	codeConfDuplicated     code = "InvalidParameter.ParameterNameDuplicated"
	codeUnsupportedType    code = "InvalidParameterValue.AgentUnsupportedCommandType"
	codeContentInvalid     code = "InvalidParameterValue.CommandContentInvalid"
	codeID                 code = "InvalidParameterValue.ID"
	codeNameDuplicated     code = "InvalidParameterValue.CommandNameDuplicated"
	codeNotRelated         code = "InvalidParameterValue.InstanceIsNotRelatedToInvocation"
	codeCommandID          code = "InvalidParameterValue.InvalidCommandId"
	codeCommandName        code = "InvalidParameterValue.InvalidCommandName"
	codeContentEmpty       code = "InvalidParameterValue.InvalidContent"
	codeCronExpression     code = "InvalidParameterValue.InvalidCronExpression"
	codeFilter             code = "InvalidParameterValue.InvalidFilter"
	codeInconsistent       code = "InvalidParameterValue.InconsistentInstance"
	codeInstanceID         code = "InvalidParameterValue.InvalidInstanceId"
	codeInvocationID       code = "InvalidParameterValue.InvalidInvocationId"
	codeInvocationTaskID   code = "InvalidParameterValue.InvalidInvocationTaskId"
	codeInvokerID          code = "InvalidParameterValue.InvalidInvokerId"
	codeBucketURL          code = "InvalidParameterValue.InvalidOutputCOSBucketUrl"
	codeKeyPrefix          code = "InvalidParameterValue.InvalidOutputCOSKeyPrefix"
	codeRegisterCodeID     code = "InvalidParameterValue.InvalidRegisterCodeId"
	codeRegisterInstanceID code = "InvalidParameterValue.InvalidRegisterInstanceId"
	codeSceneID            code = "InvalidParameterValue.InvalidSceneId"
	codeSceneName          code = "InvalidParameterValue.InvalidSceneName"
	codeTimeFormat         code = "InvalidParameterValue.InvalidTimeFormat"
	codeUser               code = "InvalidParameterValue.InvalidUsername"
	codeWorkingDirectory   code = "InvalidParameterValue.InvalidWorkingDirectory"
	codeInvokeTimeExpired  code = "InvalidParameterValue.InvokeTimeExpired"
	codeLackOfInfo         code = "InvalidParameterValue.LackOfParameterInfo"
	codeLackOfParameters   code = "InvalidParameterValue.LackOfParameters"
	codeValueLimit         code = "InvalidParameterValue.LimitExceeded"
	codeParameterDisabled  code = "InvalidParameterValue.ParameterDisabled"
	codeParameterJSON      code = "InvalidParameterValue.ParameterInvalidJsonFormat"
	codeKeyChar            code = "InvalidParameterValue.ParameterKeyContainsInvalidChar"
	codeKeyDuplicated      code = "InvalidParameterValue.ParameterKeyDuplicated"
	codeKeyLength          code = "InvalidParameterValue.ParameterKeyLenExceeded"
	codeParameterNumber    code = "InvalidParameterValue.ParameterNumberExceeded"
	codeValueNotString     code = "InvalidParameterValue.ParameterValueNotString"
	codeRange              code = "InvalidParameterValue.Range"
	codeOnlyIfEnabled      code = "InvalidParameterValue.SupportParametersOnlyIfEnableParameter"
	codeTooLarge           code = "InvalidParameterValue.TooLarge"
	codeTooLong            code = "InvalidParameterValue.TooLong"
	codeTooSmall           code = "InvalidParameterValue.TooSmall"
	codeFilterValues       code = "LimitExceeded.FilterValueExceeded"
	codeOperationDenied    code = "OperationDenied"
	codeNotFound           code = "ResourceNotFound"
	codeNoCommand          code = "ResourceNotFound.CommandNotFound"
	codeNoInstance         code = "ResourceNotFound.InstanceNotFound"
	codeNoBucket           code = "ResourceNotFound.CosBucketNotFoundCode"
	codeNoInvocation       code = "ResourceNotFound.InvocationNotFound"
	codeNoRegisterCode     code = "ResourceNotFound.RegisterCodesNotFoundCode"
	codeNoRegisterInstance code = "ResourceNotFound.RegisterInstanceNotFoundCode"
	codeAgentNotInstalled  code = "ResourceUnavailable.AgentNotInstalled"
	codeAgentNotOnline     code = "ResourceUnavailable.AgentStatusNotOnline"
	codeCommandInExecuting code = "ResourceUnavailable.CommandInExecuting"
	codeCommandInInvoker   code = "ResourceUnavailable.CommandInInvoker"
	codeQuotaName          code = "ResourceUnavailable.InvalidResourceQuotaResourceCode"
	codeNoQuota            code = "ResourceUnavailable.UserHasNoQuotaCode"
	codeDenied             code = "UnauthorizedOperation.CamAuthFailed"
)

// reasons maps every rule of the core. Some speak of things that this API does not have; they get the nearest code all the same.
var reasons = map[core.Reason]code{
	core.ReasonInternal:     codeInternal,
	core.ReasonMissing:      codeMissingParameter,
	core.ReasonInvalidValue: codeInvalidValue,
	core.ReasonTooSmall:     codeTooSmall,
	core.ReasonTooLarge:     codeTooLarge,
	core.ReasonTooLong:      codeTooLong,

	core.ReasonNameInvalid:        codeCommandName,
	core.ReasonNameTooLong:        codeCommandName,
	core.ReasonNameTaken:          codeNameDuplicated,
	core.ReasonDescriptionTooLong: codeTooLong,
	core.ReasonContentDecode:      codeContentInvalid,
	core.ReasonContentTooLong:     codeTooLong,
	core.ReasonTypeUnknown:        codeInvalidValue,
	core.ReasonWorkDirInvalid:     codeWorkingDirectory,
	core.ReasonWorkDirTooLong:     codeWorkingDirectory,
	core.ReasonUserInvalid:        codeUser,
	core.ReasonUserTooLong:        codeUser,
	core.ReasonLauncherTooLong:    codeTooLong,
	core.ReasonTimeoutRange:       codeRange,
	core.ReasonTerminationMode:    codeInvalidValue,
	core.ReasonRepeatMode:         codeInvalidValue,
	core.ReasonScheduleMissing:    codeMissingParameter,
	core.ReasonScheduleExpired:    codeInvokeTimeExpired,
	core.ReasonScheduleInvalid:    codeCronExpression,
	core.ReasonContainerInvalid:   codeInvalidValue,

	core.ReasonNotStanding:            codeInvalidValue,
	core.ReasonAlreadyEnded:           codeInvalidValue,
	core.ReasonFileNameTooLong:        codeTooLong,
	core.ReasonFileDirInvalid:         codeInvalidValue,
	core.ReasonFileTooLarge:           codeTooLong,
	core.ReasonFileDescriptionTooLong: codeTooLong,
	core.ReasonFileModeInvalid:        codeInvalidValue,
	core.ReasonFileOwnerInvalid:       codeInvalidValue,
	core.ReasonFileGroupInvalid:       codeInvalidValue,

	core.ReasonParamsDisabled:   codeParameterDisabled,
	core.ReasonParamsMalformed:  codeParameterJSON,
	core.ReasonParamCount:       codeParameterNumber,
	core.ReasonParamNameEmpty:   codeKeyLength,
	core.ReasonParamNameInvalid: codeKeyChar,
	core.ReasonParamNameTooLong: codeKeyLength,
	core.ReasonParamDuplicate:   codeKeyDuplicated,
	core.ReasonParamUndefined:   codeInvalidValue,
	core.ReasonParamMissing:     codeLackOfInfo,
	core.ReasonParamValueType:   codeValueNotString,

	core.ReasonTargetsMissing:        codeMissingParameter,
	core.ReasonTargetsTooMany:        codeValueLimit,
	core.ReasonTargetNotFound:        codeNoInstance,
	core.ReasonTargetMalformed:       codeInstanceID,
	core.ReasonTargetPlatform:        codeUnsupportedType,
	core.ReasonTargetNeverSeen:       codeAgentNotInstalled,
	core.ReasonTargetOffline:         codeAgentNotOnline,
	core.ReasonTargetNotInInvocation: codeNotRelated,

	core.ReasonCommandNotFound:      codeNoCommand,
	core.ReasonCommandInUse:         codeCommandInExecuting,
	core.ReasonCommandScheduled:     codeCommandInInvoker,
	core.ReasonInvocationNotFound:   codeNoInvocation,
	core.ReasonScheduleNotFound:     codeNotFound,
	core.ReasonRegistrationNotFound: codeNoRegisterCode,
	core.ReasonRegistrationInUse:    codeResourceInUse,
	core.ReasonRegistrationRefused:  codeInvalidValue,
	core.ReasonNodeTaken:            codeResourceInUse,
	core.ReasonSessionNotFound:      codeNotFound, // this vendor has no terminals
	core.ReasonSessionsDisabled:     codeInvalidValue,

	core.ReasonPageNumber: codeTooSmall,
	core.ReasonPageSize:   codeTooLarge,
	core.ReasonPageToken:  codeInvalidValue,
	core.ReasonFilter:     codeFilter,

	core.ReasonTagCount:        codeTagOperation,
	core.ReasonTagDuplicate:    codeTagOperation,
	core.ReasonTagKeyMissing:   codeTagOperation,
	core.ReasonTagKeyInvalid:   codeTagOperation,
	core.ReasonTagValueInvalid: codeTagOperation,

	core.ReasonQuotaCommands:      codeNoQuota,
	core.ReasonQuotaRegistrations: codeLimitExceeded,
	core.ReasonQuotaInvocations:   codeLimitExceeded,
	core.ReasonQuotaSessions:      codeLimitExceeded,
	core.ReasonQuotaObjects:       codeLimitExceeded,
	core.ReasonTokenInvalid:       codeInvalidValue,
	core.ReasonTokenMismatch:      codeInvalidValue,
	core.ReasonTokenPending:       codeInvalidValue,
	core.ReasonUnsupported:        codeInvalidValue,

	core.ReasonRegionUnknown:  codeUnsupportedRegion,
	core.ReasonKeyUnknown:     codeKeyUnknown,
	core.ReasonKeyDisabled:    codeKeyUnknown,
	core.ReasonKeyExpired:     codeTemporaryKey,
	core.ReasonLoginEnded:     codeTemporaryKey,
	core.ReasonDenied:         codeDenied,
	core.ReasonThrottled:      codeRequestLimit,
	core.ReasonAccessNotFound: codeInvalidValue,
	core.ReasonUnknownAction:  codeInvalidAction,
}

// signKinds maps why a signature was refused.
var signKinds = map[sign.Kind]code{
	sign.Missing:     codeMissingParameter,
	sign.Malformed:   codeInvalidAuthorization,
	sign.Unsupported: codeInvalidAuthorization,
	sign.Undecodable: codeInvalidParameter,
	sign.TimeFormat:  codeInvalidValue,
	sign.TimeExpired: codeSignatureExpire,
	sign.Mismatch:    codeSignatureFailure,
	sign.Insecure:    codeUnsupportedProtocol,
}

// fault is a refusal for which the vendor has a finer code than the core has reasons. Its field is in the vendor's words.
type fault struct {
	code    code
	refusal *core.Error
}

func (e *fault) Error() string { return e.refusal.Error() }
func (e *fault) Unwrap() error { return e.refusal }

// refuse makes a refusal of the dialect's own. field is the parameter at fault, if one is.
func refuse(c code, field, format string, args ...any) error {
	return &fault{c, &core.Error{
		Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Field: field, Detail: fmt.Sprintf(format, args...),
	}}
}

func missing(field string) error {
	return refuse(codeMissingParameter, field, "required")
}

// recode gives err another code if it was refused for one of these reasons, where an action has a code of its own for it.
func recode(err error, c code, because ...core.Reason) error {
	for _, r := range because {
		if r.Is(err) {
			e := *core.AsError(err)
			e.Field = showField(&e)
			return &fault{c, &e}
		}
	}
	return err
}

// renamed gives err another code if it has this one, where an action has another word for the same thing.
func renamed(err error, from, to code) error {
	var own *fault
	if errors.As(err, &own) && own.code == from {
		return &fault{to, own.refusal}
	}
	return err
}

// explain finds the vendor's code for an error and the text that the caller gets.
func explain(err error, language string) (code, string) {
	var (
		own    *fault
		param  *api.ParamError
		signed *sign.Error
		token  *api.TokenError
		plain  *core.Error
	)
	switch {
	case errors.Is(err, api.ErrBodyTooLarge):
		return codeRequestSize, message(codeRequestSize, language, "", fmt.Sprintf("the body has more than %d bytes", api.MaxBody))
	case errors.As(err, &own):
		return own.code, message(own.code, language, own.refusal.Field, own.refusal.Detail)
	case errors.As(err, &param):
		c, detail := codeInvalidParameter, "it has the wrong type"
		switch {
		case param.Unknown:
			c, detail = codeUnknownParameter, ""
		case param.Name == "":
			detail = "the parameters cannot be read: " + param.Err.Error()
		}
		return c, message(c, language, param.Name, detail)
	case errors.As(err, &signed):
		c := signKinds[signed.Kind]
		return c, message(c, language, signed.Param, signed.Detail)
	case errors.As(err, &token):
		return codeTemporaryKey, message(codeTemporaryKey, language, "Token", token.Error())
	case errors.As(err, &plain) && plain.Code != core.CodeInternal:
		c := reasons[plain.Reason]
		if plain.Reason == core.ReasonParamsDisabled && plain.Field == "defaults" {
			c = codeOnlyIfEnabled
		}
		return c, message(c, language, showField(plain), plain.Detail)
	default:
		return codeInternal, message(codeInternal, language, "", "")
	}
}

// fields are the parameters of the core under the vendor's names.
var fields = map[string]string{
	"name": "CommandName", "description": "Description", "content": "Content", "type": "CommandType", "workdir": "WorkingDirectory",
	"user": "Username", "timeout": "Timeout", "params": "Parameters", "defaults": "DefaultParameters", "targets": "InstanceIds", "tags": "Tags",
}

// showField names the parameter or the object at fault in the vendor's words.
func showField(e *core.Error) string {
	switch e.Reason { //nolint:exhaustive // the others carry no id
	case core.ReasonTargetNotFound, core.ReasonTargetPlatform, core.ReasonTargetNeverSeen, core.ReasonTargetOffline,
		core.ReasonTargetNotInInvocation:
		return showInstance(e.Field)
	case core.ReasonCommandInUse, core.ReasonCommandScheduled:
		return commandPrefix + e.Field
	}
	if name, ok := fields[e.Field]; ok {
		return name
	}
	return e.Field
}
