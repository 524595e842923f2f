package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/pprof"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/core"
	"errand/internal/server"
)

// serverFlags are the flags that every command with a server in it has.
type serverFlags struct {
	server.Config
	level   string
	profile string
}

func (f *serverFlags) add(cmd *cobra.Command, level string) {
	flags := cmd.Flags()
	flags.StringVar(&f.Listen, "listen", "127.0.0.1:8470", "address for callers and enrolment, `HOST:PORT`")
	flags.StringVar(&f.AgentListen, "agent-listen", "127.0.0.1:8471", "address for agents, `HOST:PORT`")
	flags.StringVar(&f.DatabaseURL, "database-url", "", "database, sqlite:///`PATH`; left out, errand.db in the data folder")
	flags.StringVar(&f.Advertise, "agent-advertise", "", "address that agents are told to connect to, `HOST[:PORT]`; left out, the host they enrolled at")
	flags.StringVar(&f.AgentPackages, "agent-packages", "", "`DIR` with agent packages to hand out to machines that enrol")
	flags.StringVar(&f.TLSCert, "tls-cert", "", "certificate `FILE` for HTTPS")
	flags.StringVar(&f.TLSKey, "tls-key", "", "key `FILE` for HTTPS")
	flags.BoolVar(&f.InsecureHTTP, "insecure-http", false, "allow plain HTTP on addresses that are not loopback")
	flags.StringSliceVar(&f.Regions, "region", nil, "region `NAME` that exists here besides the vendors' own; the first is the default")
	flags.IntVar(&f.NodeKeyDays, "node-key-days", 0, "have nodes replace their keys when they are `DAYS` old; 0 leaves them alone")
	flags.IntVar(&f.RetainDays, "retain-days", 30, "remove results `DAYS` after their command was run; 0 keeps them for ever")
	flags.IntVar(&f.RetainInvocations, "retain-invocations", 0, "keep the newest `N` invocations of each account and those that have not ended; 0 keeps all")
	flags.StringVar((*string)(&f.Terminals.Record), "record-terminals", string(core.RecordUnless), "record what terminals print: `WHEN` is always, unless (the caller does not want it), request or never")
	flags.DurationVar(&f.Terminals.Idle, "terminal-idle", core.DefaultTerminalIdle, "longest `TIME` that a terminal may wait for input before it ends")
	flags.DurationVar(&f.Terminals.Limit, "terminal-limit", core.DefaultTerminalLimit, "longest `TIME` that a terminal may last")
	flags.Int64Var(&f.TransferFile, "transfer-file-bytes", core.DefaultMaxFile, "largest file in `BYTES` that is pushed or fetched")
	flags.Int64Var(&f.TransferTotal, "transfer-total-bytes", core.DefaultMaxTotal, "most `BYTES` of such files kept here at a time")
	flags.BoolVar(&f.WebhookAllowPrivate, "webhook-allow-private", false, "let webhooks go to private addresses and to this machine")
	flags.StringVar(&f.S3.Endpoint, "s3-endpoint", "", "S3-compatible object store that output can be delivered to, `URL`")
	flags.StringVar(&f.S3.Region, "s3-region", "", "`REGION` of the object store; left out, what its endpoint says, or us-east-1")
	flags.StringVar(&f.S3.AccessKey, "s3-access-key", "", "access key `ID` for the object store")
	flags.StringVar(&f.S3.SecretKey, "s3-secret-key", "", "its `SECRET`; other users of this machine do not see it in ERRAND_S3_SECRET_KEY")
	flags.BoolVar(&f.S3.PathStyle, "s3-path-style", false, "ask for HOST/BUCKET instead of BUCKET.HOST")
	flags.StringVar(&f.S3.CAFile, "s3-ca-file", "", "`FILE` with certificates to trust, besides the system's, when the object store is called")
	f.addLogin(flags)
	flags.StringVar(&f.level, "log-level", level, "`LEVEL` of the log: debug, info, warn or error")
}

// fill completes the configuration with what does not come from flags.
func (f *serverFlags) fill() error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(f.level)); err != nil {
		return fmt.Errorf("--log-level: %w", err)
	}
	f.Now = time.Now
	f.Log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	f.Notice = notice(os.Stderr)
	f.RootKeyID = os.Getenv("ERRAND_ROOT_ACCESS_KEY_ID")
	f.RootSecret = os.Getenv("ERRAND_ROOT_ACCESS_KEY_SECRET")
	f.SealKey = os.Getenv("ERRAND_SEAL_KEY")
	return nil
}

// notice is where the root key may be shown: not in systemd's journal, which more people read than the file with the key.
func notice(stderr *os.File) io.Writer {
	info, err := stderr.Stat()
	if os.Getenv("JOURNAL_STREAM") != "" && (err != nil || info.Mode()&os.ModeCharDevice == 0) {
		return io.Discard
	}
	return stderr
}

func newServer() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "server --data DIR",
		Short: "Run the server",
		Long: `Runs the server: the four vendors' APIs, enrolment and metrics on --listen, agents on --agent-listen.

Everything that must survive is in --data; starting again with the same folder loses nothing. The first start makes
the root account and its access key: from ERRAND_ROOT_ACCESS_KEY_ID and ERRAND_ROOT_ACCESS_KEY_SECRET if they are set,
otherwise generated, printed once and kept in DIR/root-credentials.json.

Results leave the database and the disk 30 days after their command was run (--retain-days) and, if a number is set, when an
account has that many newer ones (--retain-invocations). What has not ended stays.

With --s3-endpoint and its key, callers can have the output of commands copied to a bucket there: OssOutputDelivery and the delivery
settings of ECS, OutputCOSBucketUrl of TAT. The key decides which buckets can be written to, by any account.

Every flag can be set by an environment variable: --agent-listen by ERRAND_AGENT_LISTEN, and so on. ERRAND_SEAL_KEY
(64 hex digits) replaces the sealing key kept in DIR/seal.key.`,
		Example: `  errand server --data /var/lib/errand
  errand server --data /var/lib/errand --listen 0.0.0.0:443 --agent-listen 0.0.0.0:8471 --tls-cert errand.pem --tls-key errand.key`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.fill(); err != nil {
				return err
			}
			return serve(cmd.Context(), &f)
		},
	}
	f.add(cmd, "info")
	cmd.Flags().StringVar(&f.Data, "data", "", "`DIR` for everything that must survive")
	cmd.Flags().StringVar(&f.profile, "cpu-profile", "", "`FILE` to write a CPU profile of the whole run to")
	return cmd
}

// stopTimeout is how long calls in progress may take to end.
const stopTimeout = 15 * time.Second

func serve(ctx context.Context, f *serverFlags) (err error) {
	stopProfile, err := startProfile(f.profile)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stopProfile()) }()
	s, err := server.Start(ctx, f.Config)
	if err != nil {
		return err
	}
	if err := leaveAddress(f.Data, s); err != nil {
		f.Log.Warn("the address is not left for commands on this machine", "error", err)
	}
	f.Log.Info("serving", "url", s.URL(), "agents", s.AgentAddr(), "data", f.Data)
	err = s.Wait(ctx)
	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if stopErr := s.Stop(stopCtx); err == nil {
		err = stopErr
	}
	return err
}

// startProfile writes a CPU profile to a file, if one is named, until stop is called.
func startProfile(name string) (stop func() error, err error) {
	if name == "" {
		return func() error { return nil }, nil
	}
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(file); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return file.Close()
	}, nil
}
