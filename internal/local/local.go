// Package local runs a server and agents inside one process: for trying a command, for a laptop, and for tests of the whole product.
package local

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"time"

	"errand/internal/agent/program"
	"errand/internal/core"
	"errand/internal/server"
)

// Stack is a server with the agents that run beside it.
type Stack struct {
	Server *server.Server
	log    *slog.Logger
	data   string
	code   core.RegistrationCode
	secret string

	agents sync.WaitGroup
	mu     sync.Mutex
	errs   []error
}

// Start starts a server.
func Start(ctx context.Context, c server.Config) (*Stack, error) {
	s, err := server.Start(ctx, c)
	if err != nil {
		return nil, err
	}
	return &Stack{Server: s, log: c.Log, data: c.Data}, nil
}

// Agent starts an agent, which runs until stop is called or its context ends, and waits until it is connected.
func (s *Stack) Agent(ctx context.Context, dir, id, version string) (stop func(), err error) {
	code, secret, err := s.activation(ctx)
	if err != nil {
		return nil, err
	}
	a, err := program.Start(ctx, program.Options{
		Server: s.Server.URL(), ActivationID: code, ActivationCode: secret, Data: dir, NodeID: id, Version: version, Log: s.log,
	})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(ctx)
	s.agents.Go(func() {
		if err := a.Run(ctx); err != nil {
			s.mu.Lock()
			s.errs = append(s.errs, fmt.Errorf("agent %s: %w", id, err))
			s.mu.Unlock()
		}
	})
	return cancel, s.connected(ctx, id)
}

// activation makes a registration code for this stack's own agents, once.
func (s *Stack) activation(ctx context.Context) (id, secret string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.secret == "" {
		s.code, s.secret, err = s.Server.Service.CreateRegistration(ctx, s.Server.RootCaller(), core.RegistrationSpec{
			Description: "agents beside the server", Limit: 1 << 20, Validity: time.Hour,
		})
	}
	return s.code.ID.String(), s.secret, err
}

// connected waits until a node can be reached.
func (s *Stack) connected(ctx context.Context, id string) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		found, err := s.Server.Service.NodesByID(ctx, s.Server.RootCaller(), []string{id})
		if err == nil && s.Server.Service.Connected(found[id].Key) {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("node %s does not connect: %w", id, ctx.Err()), err)
		case <-tick.C:
		}
	}
}

// AgentDir is the folder for an agent beside the server's own data.
func (s *Stack) AgentDir(id string) string { return filepath.Join(s.data, "agent-"+id) }

// Stop waits for the agents, whose contexts must have ended, and stops the server.
func (s *Stack) Stop(ctx context.Context) error {
	s.agents.Wait()
	return errors.Join(append(s.errs, s.Server.Stop(ctx))...)
}
