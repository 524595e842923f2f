package server

import (
	"errand/internal/api"
	"errand/internal/api/ecs"
	"errand/internal/api/eflo"
	"errand/internal/api/native"
	"errand/internal/api/sign"
	"errand/internal/api/tat"
	"errand/internal/api/zos"
	"errand/internal/core"
	"errand/internal/dispatch"
	"errand/internal/login"
)

// fills lists the dialects that have built-in parameters.
func fills() map[core.Origin]dispatch.Fill {
	f := make(map[core.Origin]dispatch.Fill)
	f[core.OriginECS], f[core.OriginEFLO] = ecs.BuiltIns(), eflo.BuiltIns()
	return f
}

// dialects lists every dialect, in the order in which requests are offered to them.
func dialects(c *Config, svc *core.Service, logins *login.Logins) []api.Dialect {
	env := api.Env{Service: svc, Now: c.Now, Nonces: new(sign.NonceCache), Regions: c.Regions, Login: logins.Prove}
	return []api.Dialect{native.New(env), zos.New(env), tat.New(env), eflo.New(env), ecs.New(env)}
}
