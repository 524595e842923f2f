package alibaba

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// Answer is how a refusal looks on the wire. In tables, {Name} stands for the parameter at fault.
type Answer struct {
	Status  int    // HTTP
	Code    string // what callers match on
	Message string
}

func (a Answer) Error() string { return a.Code }

// BadRequest is an answer with status 400.
func BadRequest(code, message string) Answer { return Answer{http.StatusBadRequest, code, message} }

// Forbidden is an answer with status 403.
func Forbidden(code, message string) Answer { return Answer{http.StatusForbidden, code, message} }

// NotFound is an answer with status 404.
func NotFound(code, message string) Answer { return Answer{http.StatusNotFound, code, message} }

// Broken is an answer with status 500.
func Broken(code, message string) Answer {
	return Answer{http.StatusInternalServerError, code, message}
}

// About puts the name of a parameter in its place.
func (a Answer) About(param string) Answer {
	a.Code = strings.ReplaceAll(a.Code, "{Name}", param)
	a.Message = strings.ReplaceAll(a.Message, "{Name}", param)
	return a
}

// Refuse makes a refusal for which the vendor has a word of its own and the core has no reason.
func Refuse(a Answer) error {
	return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonInvalidValue, Detail: a.Message, Err: a}
}

// Missing refuses a request without a required parameter.
func Missing(param string) error {
	return &core.Error{Code: core.CodeInvalid, Reason: core.ReasonMissing, Field: param, Detail: "mandatory"}
}

// Invalid refuses a request for a reason that each product has its own code for.
func Invalid(reason core.Reason, param, detail string) error {
	return &core.Error{Code: core.CodeInvalid, Reason: reason, Field: param, Detail: detail}
}

// Answers that all products give alike.
// https://www.alibabacloud.com/help/en/sdk/product-overview/common-error-codes
var (
	MissingParameter  = BadRequest("Missing{Name}", "{Name} is mandatory for this action.")
	InvalidParameter  = BadRequest("InvalidParameter.{Name}", "The specified parameter {Name} is not valid.")
	KeyUnknown        = NotFound("InvalidAccessKeyId.NotFound", "Specified access key is not found.")
	KeyInactive       = BadRequest("InvalidAccessKeyId.Inactive", "Specified access key is disabled.")
	TokenExpired      = BadRequest("InvalidSecurityToken.Expired", "Specified SecurityToken is expired.")
	UnknownAction     = NotFound("InvalidAction.NotFound", "Specified api is not found, please check your url and method.")
	Throttled         = BadRequest("Throttling.User", "Request was denied due to user flow control.")
	OperationRefused  = Forbidden("Operation.Forbidden", "The operation is not permitted.")
	InternalError     = Broken("InternalError", "The request processing has failed due to some unknown error.")
	Denied            = Forbidden("Forbidden.RAM", "User not authorized to operate on the specified resource, or this API doesn't support RAM.")
	unavailable       = Broken("ServiceUnavailable", "The request has failed due to a temporary failure of the server.")
	unknownProduct    = NotFound("InvalidProduct.NotFound", "Cannot find product according to your specified domain.")
	unsupportedMethod = Forbidden("UnsupportedHTTPMethod", "This http method not supported.")
	invalidFormat     = BadRequest("InvalidParameter.Format", "Specified parameter format is not valid.")
	malformed         = BadRequest("InvalidParameter", "The specified parameter is not valid.")
	nonceUsed         = BadRequest("SignatureNonceUsed", "Specified signature nonce was used already.")
	tokenMismatch     = BadRequest("InvalidSecurityToken.MismatchWithAccessKey", "Specified SecurityToken mismatch with the AccessKey.")
	// The vendor documents no code for this one.
	bodyTooLarge = Answer{http.StatusRequestEntityTooLarge, "RequestBodyTooLarge", "The request body exceeds the limit of 1 MB."}
)

// signatures is the answer to each way a signature can be wrong. Missing names the parameter.
var signatures = map[sign.Kind]Answer{
	sign.Missing:     MissingParameter,
	sign.Malformed:   BadRequest("IncompleteSignature", "The request signature does not conform to Aliyun standards."),
	sign.Unsupported: BadRequest("IncompleteSignature", "The request signature does not conform to Aliyun standards."),
	sign.Undecodable: malformed,
	sign.TimeFormat:  BadRequest("InvalidTimeStamp.Format", "Specified time stamp or date value is not well formatted."),
	sign.TimeExpired: BadRequest("InvalidTimeStamp.Expired", "Specified time stamp or date value is expired."),
	// The server's string follows. Clients compare it with their own and, when the two are equal, tell their user that the
	// secret is wrong; nothing may stand between colon and string.
	sign.Mismatch: BadRequest("SignatureDoesNotMatch", "Specified signature is not matched with our calculation. server string to sign is:"),
	sign.Insecure: NotFound("InvalidProtocol.NeedSsl", "Your request is denied as lack of ssl protect."),
}

// answer translates whatever went wrong.
func (g *Gateway) answer(action string, err error) Answer {
	var (
		own       Answer
		signature *sign.Error
		token     *api.TokenError
		replay    *api.ReplayError
	)
	switch {
	case errors.As(err, &own):
		return own
	case errors.As(err, &signature):
		a := signatures[signature.Kind].About(signature.Param)
		a.Message += signature.StringToSign
		return a
	case errors.As(err, &token) && token.Missing:
		return MissingParameter.About("SecurityToken")
	case errors.As(err, &token):
		return tokenMismatch
	case errors.As(err, &replay):
		return nonceUsed
	case errors.Is(err, api.ErrBodyTooLarge):
		return bodyTooLarge
	case errors.Is(err, context.Canceled), errors.Is(err, context.DeadlineExceeded):
		return unavailable
	}
	return g.Refusal(action, core.AsError(err))
}
