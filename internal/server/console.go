package server

import (
	"errand/internal/console"
)

// openConsole makes the pages for people.
func (s *Server) openConsole() (*console.Console, error) {
	return console.New(console.Config{
		Service: s.Service, Login: s.logins, Now: s.config.Now, Log: s.config.Log,
		Status: func() console.Status {
			return console.Status{Connected: s.Service.ConnectedNodes(), Open: s.disp.Open(), Since: s.started}
		},
	})
}
