package alibaba

import (
	"regexp"

	"errand/internal/api"
	"errand/internal/core"
)

// builtInUse finds built-in parameters the way the vendor's agent does: blanks are allowed around the name and around the colons.
var builtInUse = regexp.MustCompile(`\{\{\s*ACS\s*::\s*([A-Za-z]+)\s*\}\}`)

// builtInNames are the parameters that every command with parameters can use without being passed them.
var builtInNames = map[string]bool{
	"RegionId": true, "AccountId": true, "InstanceId": true, "InstanceName": true, "InvokeId": true, "CommandId": true,
}

// BuiltIns returns a function that fills in the built-in parameters of an invocation for one of its machines. nodePrefix is what
// the product puts before the ids of machines.
func BuiltIns(nodePrefix string) func(script []byte, v *core.Invocation, n *core.Node) []byte {
	return func(script []byte, v *core.Invocation, n *core.Node) []byte {
		if !v.ParamsEnabled || !builtInUse.Match(script) {
			return script
		}
		values := map[string]string{
			"RegionId": v.Region, "AccountId": v.Account.String(), "InstanceId": api.ShowNode(nodePrefix, n.ID), "InstanceName": n.Name,
			"InvokeId": "t-" + v.ID.String(), "CommandId": "c-" + v.Command.String(),
		}
		return builtInUse.ReplaceAllFunc(script, func(use []byte) []byte {
			if value, ok := values[string(builtInUse.FindSubmatch(use)[1])]; ok {
				return []byte(value)
			}
			return use
		})
	}
}
