package tat

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"errand/internal/api"
	"errand/internal/api/sign"
	"errand/internal/core"
)

// TestReasonsAreComplete looks for what a new reason of the core, or of the signatures, would leave without a code.
func TestReasonsAreComplete(t *testing.T) {
	t.Parallel()
	for r := range core.Reason(core.NumReasons) {
		if reasons[r] == "" {
			t.Errorf("reason %d has no code", r)
		}
	}
	for k := sign.Missing; k <= sign.Insecure; k++ {
		if signKinds[k] == "" {
			t.Errorf("%v has no code", k)
		}
	}
	for c, s := range sentences {
		if s.en == "" || s.zh == "" || strings.Contains(s.en, "  ") {
			t.Errorf("%s: %+v", c, s)
		}
	}
	for _, table := range []map[core.Reason]code{reasons} {
		for _, c := range table {
			if sentences[c].en == "" {
				t.Errorf("%s has no words", c)
			}
		}
	}
	for _, c := range signKinds {
		if sentences[c].en == "" {
			t.Errorf("%s has no words", c)
		}
	}
}

func TestExplain(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		code    code
		message string
	}{
		"internal": {
			fmt.Errorf("disk: %w", errors.New("secret path")), "InternalError",
			"Internal error. The server's log has its cause under this request id.",
		},
		"given up": {context.Canceled, "InternalError", "Internal error. The server's log has its cause under this request id."},
		"internal of the core": {
			core.AsError(errors.New("secret")), "InternalError",
			"Internal error. The server's log has its cause under this request id.",
		},
		"core": {
			&core.Error{Code: core.CodeUnavailable, Reason: core.ReasonTargetOffline, Field: core.ID(77).String(), Detail: "agent is offline"},
			"ResourceUnavailable.AgentStatusNotOnline",
			"The instance's agent is offline. rins-" + core.ID(77).String() + ": agent is offline",
		},
		"core, its word for a parameter": {
			fmt.Errorf("wrapped: %w", &core.Error{Code: core.CodeInvalid, Reason: core.ReasonTimeoutRange, Field: "timeout", Detail: "no"}),
			"InvalidParameterValue.Range", "The value is out of range. Timeout: no",
		},
		"defaults of a command without parameters": {
			&core.Error{Code: core.CodeInvalid, Reason: core.ReasonParamsDisabled, Field: "defaults"},
			"InvalidParameterValue.SupportParametersOnlyIfEnableParameter",
			"Only commands with EnableParameter have parameters. DefaultParameters",
		},
		"unknown parameter": {
			&api.ParamError{Name: "Foo", Unknown: true}, "UnknownParameter", "The action has no such parameter. Foo",
		},
		"wrong type": {
			&api.ParamError{Name: "Limit"}, "InvalidParameter", "A parameter is wrong. Limit: it has the wrong type",
		},
		"no JSON": {
			&api.ParamError{Err: errors.New("unexpected end")}, "InvalidParameter",
			"A parameter is wrong. the parameters cannot be read: unexpected end",
		},
		"missing part of a signature": {
			&sign.Error{Kind: sign.Missing, Param: "Timestamp", Detail: "Timestamp"}, "MissingParameter",
			"A required parameter is missing. Timestamp",
		},
		"too large": {
			errors.Join(api.ErrBodyTooLarge, errors.New("cut off")), "RequestSizeLimitExceeded",
			"The request is too large. the body has more than 1048576 bytes",
		},
		"no token":    {&api.TokenError{Missing: true}, "AuthFailure.TokenFailure", "The token is wrong or has expired. Token: temporary key without its token"},
		"wrong token": {&api.TokenError{}, "AuthFailure.TokenFailure", "The token is wrong or has expired. Token: token does not belong to the key"},
		"expired key": {
			&core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyExpired}, "AuthFailure.TokenFailure",
			"The token is wrong or has expired.",
		},
		"disabled key": {
			&core.Error{Code: core.CodeUnauthenticated, Reason: core.ReasonKeyDisabled}, "AuthFailure.SecretIdNotFound",
			"There is no such key, or it is disabled.",
		},
		"denied": {
			&core.Error{Code: core.CodeDenied, Reason: core.ReasonDenied}, "UnauthorizedOperation.CamAuthFailed", "The key may not do this.",
		},
		"quota": {
			&core.Error{Code: core.CodeLimit, Reason: core.ReasonQuotaCommands}, "ResourceUnavailable.UserHasNoQuotaCode",
			"There are too many commands.",
		},
		"unsigned payload in the open": {
			&sign.Error{Kind: sign.Insecure, Detail: "an unsigned payload needs TLS"}, "UnsupportedProtocol",
			"The request came in a way that is not supported. an unsigned payload needs TLS",
		},
	} {
		got, text := explain(c.err, "en-US")
		if got != c.code || text != c.message {
			t.Errorf("%s: %s %q, want %s %q", name, got, text, c.code, c.message)
		}
		if same, zh := explain(c.err, "zh-CN"); same != got || zh == text || strings.Contains(zh, "secret") {
			t.Errorf("%s in Chinese: %s %q", name, same, zh)
		}
	}
}
