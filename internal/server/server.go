package server

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"errand/internal/api"
	"errand/internal/api/node"
	"errand/internal/bus"
	"errand/internal/bus/broker"
	"errand/internal/core"
	"errand/internal/depot"
	"errand/internal/dispatch"
	"errand/internal/login"
	"errand/internal/protocol"
	"errand/internal/session"
	"errand/internal/store/blob"
	"errand/internal/telemetry"
	"errand/internal/webhook"
)

// Server is a running server.
type Server struct {
	config  Config
	store   core.Store
	broker  *broker.Broker
	hub     *bus.Hub
	disp    *dispatch.Dispatcher
	relay   *session.Relay
	ca      *broker.CA
	logins  *login.Logins
	http    *http.Server
	api     *api.Server
	lis     net.Listener
	served  chan error
	metrics *telemetry.Metrics
	feed    *core.Feed
	looping bool // disp has been started
	ready   atomic.Bool
	started time.Time

	stopRecord context.CancelFunc // nil until record has been started
	recorded   sync.WaitGroup

	// Service is what callers can do, for programs that run the server inside themselves.
	Service *core.Service
}

// Start starts a server. When it returns, callers and nodes are served.
func Start(ctx context.Context, c Config) (*Server, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	s := &Server{config: c, served: make(chan error, 1), started: c.Now()}
	for _, open := range []func(context.Context) error{s.openCore, s.openBus, s.listen} {
		if err := open(ctx); err != nil {
			return nil, errors.Join(err, s.release())
		}
	}
	s.ready.Store(true)
	return s, nil
}

// openCore opens everything that keeps state.
func (s *Server) openCore(ctx context.Context) error {
	c := &s.config
	store, err := openStore(ctx, c)
	if err != nil {
		return err
	}
	s.store = store
	blobs, err := blob.NewFolder(filepath.Join(c.Data, "blobs"))
	if err != nil {
		return fmt.Errorf("blob folder: %w", err)
	}
	seal, err := sealer(c)
	if err != nil {
		return err
	}
	if s.ca, err = authority(c); err != nil {
		return err
	}
	pageKey, err := store.SetSetting(ctx, "page-key", random(32))
	if err != nil {
		return fmt.Errorf("page key: %w", err)
	}
	s.feed = &core.Feed{}
	objects, err := openObjects(c)
	if err != nil {
		return err
	}
	hooks := webhook.New(webhook.Config{Now: c.Now, Loopback: c.local(), Private: c.WebhookAllowPrivate, Agent: "errand"})
	config := core.Config{
		Store: store, Blobs: blobs, Sealer: seal, IDs: core.NewIDs(rand.Uint64()), Now: c.Now, Log: c.Log, Feed: s.feed, Post: hooks.Post, PageKey: pageKey, Protocol: protocol.Version, //nolint:gosec // uniqueness, not secrecy
		Transfers: core.TransferLimits{File: c.TransferFile, Total: c.TransferTotal},
		Terminals: c.Terminals,
		KeyAge:    time.Duration(c.NodeKeyDays) * 24 * time.Hour,
	}
	var uploader dispatch.Uploader
	if objects != nil { // an interface with nothing in it would not be nil
		config.ObjectStore, uploader = objects, objects
	}
	s.Service = core.NewService(config)
	if s.logins, err = c.Login.open(c, s.Service, seal); err != nil {
		return err
	}
	s.metrics = telemetry.NewMetrics(map[string]telemetry.Gauge{
		"errand_nodes_connected": {Help: "Nodes connected to this server.", Read: func() float64 { return float64(s.Service.ConnectedNodes()) }},
		"errand_tasks_open":      {Help: "Tasks that have not ended.", Read: func() float64 { return float64(s.disp.Open()) }},
	})
	s.disp = dispatch.New(dispatch.Config{
		Service: s.Service, Feed: s.feed, Bus: sender{s}, Kick: func(node int64) error { return s.broker.Kick(node) }, Now: c.Now, Log: c.Log, Metrics: s.metrics, Fill: fills(),
		Uploader: uploader, Names: objectNames(),
		Keep:      core.Retention{Age: time.Duration(c.RetainDays) * 24 * time.Hour, Invocations: c.RetainInvocations},
		TidyAfter: rand.N(dispatch.TidyEvery),                                   //nolint:gosec // servers that start together spread out
		Shorten:   func(d time.Duration) time.Duration { return rand.N(d + 1) }, //nolint:gosec // the same
	})
	if err := root(ctx, c, store, s.Service); err != nil {
		return err
	}
	recording, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stopRecord = stop
	s.recorded.Go(func() { s.record(recording) })
	return nil
}

// sender breaks the circle between the dispatcher, which sends through the hub, and the hub, which comes after it.
type sender struct{ s *Server }

func (x sender) Send(node int64, msg []byte) error { return x.s.hub.Send(node, msg) }

// openBus starts the broker and the loops. Nodes are let in only when the loops know what is open and listen.
func (s *Server) openBus(ctx context.Context) error {
	tlsConfig, err := s.ca.ServerTLS(s.config.Now())
	if err != nil {
		return err
	}
	listening := make(chan struct{})
	s.broker, err = broker.Start(broker.Config{
		Listen: s.config.AgentListen, TLS: tlsConfig, Log: s.config.Log,
		Admit: func(ctx context.Context, publicKey string) (int64, error) {
			select {
			case <-listening:
			case <-ctx.Done():
				return 0, errors.New("server is starting")
			}
			n, err := s.Service.AdmitKey(ctx, publicKey)
			return int64(n.Key), err
		},
		Gone:  func(key int64) { s.Service.Gone(core.NodeKey(key)) },
		Probe: func(key int64) error { return s.hub.Send(key, []byte{byte(protocol.KindProbe)}) },
		Cloned: func(c broker.Clone) {
			err := s.Service.Cloned(context.WithoutCancel(ctx), core.Clone{
				Node: core.NodeKey(c.Key), StartID: c.Newcomer.Start, Machine: c.Newcomer.Machine, Incumbent: c.Incumbent.Machine, Source: c.Source,
			})
			if err != nil {
				s.config.Log.Error("clone not noted", "node", c.Key, "error", err)
			}
		},
	})
	if err != nil {
		return err
	}
	nc, err := s.broker.Connect()
	if err != nil {
		return err
	}
	s.hub = bus.NewHub(nc)
	s.feed.Listen(func(e core.Event) {
		if e.Removed == 0 {
			return
		}
		if err := s.broker.Kick(int64(e.Removed)); err != nil {
			s.config.Log.Warn("disconnect removed node", "node", e.Removed, "error", err)
		}
	})
	if err := s.disp.Start(ctx); err != nil {
		return err
	}
	s.looping = true
	if err := s.hub.Receive(s.disp.Receive); err != nil {
		return err
	}
	s.relay, err = session.Start(ctx, session.Config{
		Service: s.Service, Feed: s.feed, Bus: s.hub, Limits: s.config.Sessions, Log: s.config.Log,
	})
	if err != nil {
		return err
	}
	close(listening)
	return nil
}

// Limits on what strangers can hold open or send, before anything is known about them.
const (
	headerTimeout = 10 * time.Second
	readTimeout   = 60 * time.Second
	idleTimeout   = 2 * time.Minute
	maxHeader     = 256 << 10 // request lines of 72 KB are normal: a file may travel in the query
)

func (s *Server) listen(ctx context.Context) error {
	c := &s.config
	lis, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return fmt.Errorf("listen: %w", err)
	}
	s.lis = lis
	if c.TLSCert != "" {
		pair, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey)
		if err != nil {
			return fmt.Errorf("certificate: %w", err)
		}
		lis = tls.NewListener(lis, &tls.Config{
			MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, NextProtos: []string{"h2", "http/1.1"},
		})
	}
	s.api = s.openAPI()
	pages, err := s.openConsole()
	if err != nil {
		return err
	}
	h := &http.Server{
		Handler: s.routes(pages), ReadHeaderTimeout: headerTimeout, ReadTimeout: readTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeader,
	}
	s.http = h
	go func() { s.served <- h.Serve(lis) }()
	return nil
}

// openAPI makes what answers the calls of all dialects.
func (s *Server) openAPI() *api.Server {
	return &api.Server{
		Dialects: dialects(&s.config, s.Service, s.logins), Now: s.config.Now, Log: s.config.Log,
		Observe: func(call api.Call) {
			s.metrics.Calls.WithLabelValues(call.Dialect, call.Action, call.Code).Inc()
			s.metrics.CallSeconds.WithLabelValues(call.Dialect, call.Action).Observe(call.Duration.Seconds())
		},
		Gate: api.NewGate(s.Service.Limit), Audit: s.Service.Audit,
	}
}

func (s *Server) routes(pages http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("ok\n")) })
	mux.HandleFunc("GET /readyz", s.readyz)
	mux.Handle("GET /metrics", s.metrics.Handler())
	mux.Handle("/console/", pages)
	mux.Handle("GET "+api.SessionPath, s.relay)
	signing := s.logins.Handler()
	for _, pattern := range login.Patterns() {
		mux.Handle(pattern, signing)
	}
	packages := depot.New(depot.Config{Dir: s.config.AgentPackages, Log: s.config.Log})
	mux.HandleFunc("GET "+depot.ScriptPath, packages.Script)
	mux.HandleFunc("GET "+depot.DownloadPath, packages.Download)
	mux.Handle("/agent/", node.New(node.Config{
		Service: s.Service, BusURLs: s.busURLs, CA: s.ca.PEM, Now: s.config.Now, Log: s.config.Log,
	}))
	mux.Handle("/", s.api)
	return mux
}

// readyz says whether the server can do its work: its store answers.
func (s *Server) readyz(w http.ResponseWriter, r *http.Request) {
	if !s.ready.Load() {
		http.Error(w, "starting or stopping", http.StatusServiceUnavailable)
		return
	}
	if _, err := s.store.Setting(r.Context(), "page-key"); err != nil {
		s.config.Log.Error("not ready", "error", err)
		http.Error(w, "store does not answer", http.StatusServiceUnavailable)
		return
	}
	_, _ = w.Write([]byte("ok\n"))
}

// busURLs is where a node that enrols through this request shall connect: the host it already reached, unless the operator knows better.
func (s *Server) busURLs(r *http.Request) []string {
	port := strconv.Itoa(s.broker.Addr().Port)
	host := s.config.Advertise
	if host == "" {
		host = r.Host
		if h, _, err := net.SplitHostPort(host); err == nil {
			host = h
		}
	}
	if _, _, err := net.SplitHostPort(host); err == nil {
		return []string{"tls://" + host}
	}
	return []string{"tls://" + net.JoinHostPort(strings.Trim(host, "[]"), port)}
}

// URL is where callers reach the server.
func (s *Server) URL() string {
	scheme := "http"
	if s.config.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + s.lis.Addr().String()
}

// AgentAddr is where nodes connect.
func (s *Server) AgentAddr() string { return s.broker.Addr().String() }

// RootCaller acts for the root account, for programs that run the server inside themselves.
func (s *Server) RootCaller() core.Caller {
	return core.Caller{Account: core.RootAccount, Principal: core.RootUser, Root: true}
}

// Wait returns when the server has stopped serving, with the reason if nobody asked it to.
func (s *Server) Wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case err := <-s.served:
		s.served <- err
		return err
	}
}

// Stop ends the server: first no new calls, then the loops finish what they hold, then bus and store close.
func (s *Server) Stop(ctx context.Context) error {
	s.ready.Store(false)
	s.Service.EndFollowing() // they would go on for an hour
	err := s.http.Shutdown(ctx)
	s.http, s.lis = nil, nil
	return errors.Join(err, s.release())
}

// release closes what is open, in reverse order.
func (s *Server) release() error {
	var errs []error
	if s.Service != nil {
		s.Service.EndFollowing()
	}
	if s.http != nil {
		_ = s.http.Close()
	} else if s.lis != nil {
		_ = s.lis.Close()
	}
	if s.relay != nil {
		s.relay.Close()
	}
	if s.looping {
		errs = append(errs, s.disp.Stop())
	}
	if s.hub != nil {
		s.hub.Close()
	}
	if s.broker != nil {
		s.broker.Stop()
	}
	if s.stopRecord != nil {
		s.stopRecord()
		s.recorded.Wait()
		errs = append(errs, s.recordRest())
	}
	if s.store != nil {
		if err := s.store.Close(); err != nil {
			errs = append(errs, fmt.Errorf("close store: %w", err))
		}
	}
	return errors.Join(errs...)
}
