package zos

import "errand/internal/api"

// table lists the six actions; there are no others in this version.
func (d *Dialect) table() map[string]api.Action {
	return api.Actions(
		api.Do("CreateCommand", true, decode, d.createCommand),
		api.Do("ModifyCommand", true, decode, d.modifyCommand),
		api.Do("DeleteCommand", true, decode, d.deleteCommand),
		api.Do("DescribeCommands", false, decode, d.describeCommands),
		api.Do("InvokeCommand", true, decode, d.invokeCommand),
		api.Do("DescribeCommandInvocations", false, decode, d.describeCommandInvocations),
	)
}

// decode ignores members that are not documented: the vendor names no error for them.
func decode(r *api.Request, dst any) error { return api.DecodeJSON(r.Body, dst, false) }
