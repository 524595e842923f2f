package console

// handler answers one request.
type handler = func(*request) (answer, error)

// adminRoutes are the pages on what there is besides runs.
func (c *Console) adminRoutes(page, do func(path string, call handler) route) []route {
	both := func(path string, show, act handler) []route { return []route{page(path, show), do(path, act)} }
	one := func(path string, call handler) []route { return both(path, call, call) } // a form that is shown by what takes it
	var all []route
	for _, some := range [][]route{
		{
			page("nodes", c.nodes), do("nodes", c.changeNodes), page("nodes/{id}", c.node), do("nodes/{id}/tags", c.tagNode),
			do("nodes/{id}/cordon", c.cordonNode), do("nodes/{id}/backlog", c.cancelBacklog),
		},
		both("nodes/{id}/remove", c.askRemoveNode, c.removeNode), both("nodes/{id}/rotate", c.askRotateNode, c.rotateNode),

		{page("groups", c.nodeGroups)},
		one("groups/new", c.newGroup), one("groups/{name}", c.nodeGroup), both("groups/{name}/delete", c.askDeleteGroup, c.deleteGroup),

		{page("commands", c.commands)},
		one("commands/new", c.newCommand), one("commands/{id}", c.command), one("commands/{id}/edit", c.editCommand),
		both("commands/{id}/delete", c.askDeleteCommand, c.deleteCommand),

		{page("schedules", c.schedules), page("schedules/{id}", c.schedule), do("schedules/{id}/pause", c.pauseSchedule), page("standing/{id}", c.standing)},
		one("schedules/new", c.newSchedule), both("schedules/{id}/delete", c.askDeleteSchedule, c.deleteSchedule),
		both("standing/{id}/end", c.askEndStanding, c.endStanding),

		{
			page("files", c.files), page("files/{id}", c.transfer), page("files/{id}/{parcel}", c.download), page("files/push", c.newPush),
			{pattern: "POST " + root + "files/push", room: maxPushed + maxForm, call: c.newPush},
		},
		one("files/fetch", c.newFetch),

		{page("sessions", c.sessions), page("sessions/{id}", c.session), do("sessions/{id}/end", c.endSession), do("sessions/{id}/{do}", c.joinSession)},
		one("sessions/new", c.newSession),
		{page("recordings", c.recordings), page("recordings/{id}", c.recording), page("recordings/{id}/cast", c.cast)},

		{page("users", c.users), do("users/{name}/disable", c.disableUser), do("users/{name}/attach", c.attachPolicy), do("users/{name}/detach", c.detachPolicy)},
		one("users/new", c.newUser), one("users/{name}", c.user), one("users/{name}/keys/new", c.newKey), both("users/{name}/delete", c.askDeleteUser, c.deleteUser),

		{page("keys", c.keys), do("keys/{id}/disable", c.disableKey), do("keys/{id}/rotate", c.key)},
		one("keys/new", c.newKey), one("keys/{id}", c.key), both("keys/{id}/delete", c.askDeleteKey, c.deleteKey),

		{page("policies", c.policies), page("policies/test", c.testPolicies), {pattern: "POST " + root + "policies/test", reads: true, call: c.testPolicies}},
		one("policies/new", c.policy), one("policies/{name}", c.policy), both("policies/{name}/delete", c.askDeletePolicy, c.deletePolicy),

		{page("accounts", c.accounts), page("accounts/{id}", c.account), do("accounts/{id}/disable", c.disableAccount)},
		one("accounts/new", c.newAccount), both("accounts/{id}/key", c.askRootKey, c.makeRootKey), one("quotas", c.quotas),

		{page("registrations", c.registrations), do("registrations/{id}/revoke", c.revokeRegistration)},
		one("registrations/new", c.newRegistration),

		{page("events", c.subscriptions), do("events/{id}/replay", c.subscription), do("events/{id}/{do}", c.actSubscription)},
		one("events/new", c.newSubscription), one("events/{id}", c.subscription), both("events/{id}/delete", c.askUnsubscribe, c.unsubscribe),

		{page("audit", c.audited)},

		{page("agents", c.releases), page("agents/{id}", c.rollout), do("agents/{id}", c.changeRollout)},
		one("agents/new", c.newRollout),
		both("agents/{id}/abort", c.askAbortRollout, c.abortRollout), both("agents/releases/{version}/delete", c.askRemoveRelease, c.removeRelease),

		one("settings", c.settings),
		{page("system", c.system)},
		{page("explorer", c.explorer), {pattern: "POST " + root + "explorer", reads: true, call: c.explorer}}, // the call itself is on record
	} {
		all = append(all, some...)
	}
	return all
}
