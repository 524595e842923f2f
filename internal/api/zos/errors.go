package zos

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// code is an error code of the vendor.
type code string

// The codes of the common table, then those of the six actions.
const (
	codeInternal       code = "INTERNAL_SERVER_ERROR"
	codeUnavailable    code = "SERVICE_TEMPORARY_UNAVAILABLE"
	codeTimedOut       code = "REQUEST_TIMED_OUT"
	codeAuthorization  code = "AUTHFAILURE_INVALID_AUTHORIZATION"
	codeSignature      code = "AUTHFAILURE_SIGNATURE_FAILURE"
	codeExpired        code = "AUTHFAILURE_SIGNATURE_EXPIRED"
	codeUnauthorized   code = "AUTHFAILURE_UNAUTHORIZED_OPERATION"
	codeMissing        code = "MISSING_PARAMETER"
	codeType           code = "INVALID_PARAMETER_TYPE"
	codeExceedMaximum  code = "INVALID_PARAMETER_EXCEED_MAXIMUM"
	codeLessMinimum    code = "INVALID_PARAMETER_LESS_MINIMUM"
	codeExceedLength   code = "INVALID_PARAMETER_EXCEED_LENGTH"
	codeLessLength     code = "INVALID_PARAMETER_LESS_LENGTH"
	codePattern        code = "INVALID_PARAMETER_PATTERN_ERROR"
	codeDateFormat     code = "INVALID_PARAMETER_DATE_FORMAT_ERROR"
	codeValue          code = "INVALID_PARAMETER_VALUE"
	codeNotFound       code = "OPERATION_FAILED_RESOURCE_NOT_FOUND"
	codeRequestLimit   code = "REQUEST_LIMIT_EXCEEDED"
	codeNoCommand      code = "INVALID_COMMAND_NOT_FOUND"
	codeCommandRunning code = "INVALID_COMMAND_INVOCATION_RUNNING_EXIST"
	codeCommandOS      code = "INVALID_COMMAND_NOT_SUPPORT_OS"
	codeNoInstance     code = "INVALID_INSTANCE_NOT_FOUND"
	codeNotRunning     code = "INVALID_INSTANCE_NOT_RUNNING"
	codeNoAgent        code = "INVALID_INSTANCE_QGA_REQUIRED"
)

// status is the HTTP status that goes with a code. It is never 200, by which clients know a success.
func (c code) status() int {
	switch c {
	case codeInternal:
		return http.StatusInternalServerError
	case codeUnavailable, codeTimedOut:
		return http.StatusServiceUnavailable
	case codeAuthorization, codeSignature, codeExpired, codeUnauthorized:
		return http.StatusUnauthorized
	case codeMissing, codeType, codeExceedMaximum, codeLessMinimum, codeExceedLength, codeLessLength, codePattern, codeDateFormat, codeValue,
		codeCommandRunning, codeCommandOS, codeNotRunning, codeNoAgent:
		return http.StatusBadRequest
	case codeNotFound, codeNoCommand, codeNoInstance:
		return http.StatusNotFound
	case codeRequestLimit:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// explain finds the vendor's code for an error and the text that the caller gets.
func explain(err error) (code, string) {
	var (
		param  *api.ParamError
		signed *sign.Error
		token  *api.TokenError
		replay *api.ReplayError
		empty  *emptyError
		own    *core.Error
	)
	switch {
	case errors.As(err, &param) && param.Name == "":
		return codePattern, "the body is not a JSON object: " + param.Error()
	case errors.As(err, &param):
		return codeType, param.Error()
	case errors.As(err, &signed):
		return codeOfSign(signed.Kind), signed.Error()
	case errors.As(err, &token):
		return codeAuthorization, token.Error()
	case errors.As(err, &replay):
		return codeSignature, replay.Error()
	case errors.Is(err, api.ErrBodyTooLarge):
		return codeExceedLength, fmt.Sprintf("the body has more than %d bytes", api.MaxBody)
	case errors.As(err, &empty):
		return codeLessLength, text(empty.refusal)
	case errors.As(err, &own) && own.Code != core.CodeInternal:
		return codeOf(own.Reason), text(own)
	case errors.Is(err, context.DeadlineExceeded):
		return codeTimedOut, "the request took too long"
	case errors.Is(err, context.Canceled):
		return codeUnavailable, "the request was given up"
	default:
		return codeInternal, "internal error; the server's log has the cause under this request id"
	}
}

// codeOfSign maps why a signature was refused.
func codeOfSign(k sign.Kind) code {
	switch k {
	case sign.Missing:
		return codeMissing
	case sign.Malformed, sign.Unsupported, sign.Insecure:
		return codeAuthorization
	case sign.Undecodable:
		return codePattern
	case sign.TimeFormat:
		return codeDateFormat
	case sign.TimeExpired:
		return codeExpired
	case sign.Mismatch:
		return codeSignature
	}
	return codeAuthorization
}

// codeOf maps every rule of the core. Some speak of things that this API does not have; they get the nearest code all the same.
func codeOf(r core.Reason) code {
	switch r {
	case core.ReasonInternal:
		return codeInternal
	case core.ReasonKeyUnknown, core.ReasonKeyDisabled, core.ReasonKeyExpired, core.ReasonLoginEnded, core.ReasonRegistrationRefused:
		return codeAuthorization
	case core.ReasonDenied, core.ReasonUnknownAction:
		return codeUnauthorized
	case core.ReasonThrottled:
		return codeRequestLimit

	case core.ReasonMissing, core.ReasonTargetsMissing, core.ReasonParamMissing, core.ReasonScheduleMissing:
		return codeMissing
	case core.ReasonTooSmall, core.ReasonPageNumber:
		return codeLessMinimum
	case core.ReasonTooLarge, core.ReasonTimeoutRange, core.ReasonPageSize, core.ReasonQuotaCommands, core.ReasonQuotaRegistrations,
		core.ReasonQuotaInvocations, core.ReasonQuotaSessions, core.ReasonQuotaObjects:
		return codeExceedMaximum
	case core.ReasonTooLong, core.ReasonNameTooLong, core.ReasonDescriptionTooLong, core.ReasonContentTooLong, core.ReasonWorkDirTooLong,
		core.ReasonUserTooLong, core.ReasonLauncherTooLong, core.ReasonParamCount, core.ReasonParamNameTooLong,
		core.ReasonTargetsTooMany, core.ReasonTagCount, core.ReasonFileNameTooLong, core.ReasonFileTooLarge, core.ReasonFileDescriptionTooLong:
		return codeExceedLength
	case core.ReasonTagKeyMissing, core.ReasonParamNameEmpty:
		return codeLessLength
	case core.ReasonNameInvalid, core.ReasonContentDecode, core.ReasonWorkDirInvalid, core.ReasonUserInvalid, core.ReasonScheduleInvalid,
		core.ReasonScheduleExpired, core.ReasonFileDirInvalid, core.ReasonFileModeInvalid, core.ReasonFileOwnerInvalid, core.ReasonFileGroupInvalid,
		core.ReasonParamsMalformed, core.ReasonParamNameInvalid, core.ReasonTargetMalformed, core.ReasonPageToken,
		core.ReasonTokenInvalid, core.ReasonTagKeyInvalid, core.ReasonTagValueInvalid:
		return codePattern
	case core.ReasonInvalidValue, core.ReasonTypeUnknown, core.ReasonTerminationMode, core.ReasonRepeatMode, core.ReasonContainerInvalid,
		core.ReasonParamsDisabled, core.ReasonParamDuplicate, core.ReasonParamUndefined, core.ReasonParamValueType,
		core.ReasonTargetNotInInvocation, core.ReasonNameTaken, core.ReasonNodeTaken, core.ReasonTokenMismatch,
		core.ReasonTokenPending, core.ReasonUnsupported, core.ReasonNotStanding, core.ReasonAlreadyEnded, core.ReasonSessionNotFound, core.ReasonSessionsDisabled,
		core.ReasonFilter, core.ReasonTagDuplicate, core.ReasonRegionUnknown:
		return codeValue

	case core.ReasonCommandNotFound:
		return codeNoCommand
	case core.ReasonCommandInUse, core.ReasonCommandScheduled:
		return codeCommandRunning
	case core.ReasonTargetPlatform:
		return codeCommandOS
	case core.ReasonTargetNotFound:
		return codeNoInstance
	case core.ReasonTargetOffline:
		return codeNotRunning
	case core.ReasonTargetNeverSeen:
		return codeNoAgent
	case core.ReasonInvocationNotFound, core.ReasonScheduleNotFound, core.ReasonRegistrationNotFound, core.ReasonRegistrationInUse,
		core.ReasonAccessNotFound:
		return codeNotFound
	}
	return codeInternal
}

// text is a refusal in words, with the parameter under its name in this API.
func text(e *core.Error) string {
	field := e.Field
	if field == "targets" {
		field = "instanceIds"
	}
	if field == "" {
		return e.Detail
	}
	return field + ": " + e.Detail
}

// refuse makes a refusal of the dialect's own, for limits that the vendor counts otherwise than the core does.
func refuse(r core.Reason, field, format string, args ...any) error {
	return &core.Error{Code: core.CodeInvalid, Reason: r, Field: field, Detail: fmt.Sprintf(format, args...)}
}

// emptyError refuses a text or list that was sent, but empty. The core knows only what is missing; the vendor tells the two apart.
type emptyError struct{ refusal *core.Error }

func empty(field string) error {
	return &emptyError{&core.Error{Code: core.CodeInvalid, Reason: core.ReasonMissing, Field: field, Detail: "empty"}}
}

func (e *emptyError) Error() string { return e.refusal.Error() }
func (e *emptyError) Unwrap() error { return e.refusal }
