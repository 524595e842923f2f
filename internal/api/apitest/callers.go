package apitest

import (
	"encoding/json"
	"testing"

	"github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/common"
	zos "github.com/zenlayer/zenlayercloud-sdk-go/zenlayercloud/zos20251010"
)

// Caller calls any action of a dialect through the core of its vendor's SDK, with parameters by name. The answer is JSON; code is the
// vendor's in a refusal, whose whole text is the answer then.
type Caller func(action string, params map[string]any) (answer, code string)

// Callers returns a Caller for each dialect.
func Callers(t *testing.T, target Target) map[string]Caller {
	t.Helper()
	ecs, eflo := must(newACS3(target, ecsVersion, false))(t), must(newACS3(target, efloVersion, true))(t)
	tat, z := newTAT(target, methodTC3), must(newZOS(target))(t)
	caller := func(call func(action string, params map[string]any, into any) error) Caller {
		return func(action string, params map[string]any) (answer, code string) {
			var into json.RawMessage
			if err := call(action, params, &into); err != nil {
				return err.Error(), refusal(t, err)
			}
			return string(into), ""
		}
	}
	return map[string]Caller{
		"ecs": caller(ecs.call), "eflo": caller(eflo.call), "zos": caller(func(action string, params map[string]any, into any) error {
			return askZOS(z, action, params, into)
		}),
		"tat": caller(func(action string, params map[string]any, into any) error { return tat.ask(action, params, into) }),
	}
}

// anyRequest is a request of ZOS with parameters by name.
type anyRequest struct {
	*common.BaseRequest
	params map[string]any
}

// MarshalJSON implements json.Marshaler; it is what the SDK sends.
func (r *anyRequest) MarshalJSON() ([]byte, error) { return json.Marshal(r.params) }

// anyResponse is an answer of ZOS, taken out of its envelope.
type anyResponse struct {
	*common.BaseResponse
	Response any `json:"response"`
}

func askZOS(c *zos.Client, action string, params map[string]any, into any) error {
	req := &anyRequest{BaseRequest: new(common.BaseRequest).Init(), params: params}
	req.InitWithApiInfo(zos.SERVICE, zos.APIVersion, action)
	return c.ApiCall(req, &anyResponse{BaseResponse: new(common.BaseResponse), Response: into})
}
