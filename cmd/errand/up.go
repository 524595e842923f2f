package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/local"
	"errand/internal/server"
)

func newUp() *cobra.Command {
	var f serverFlags
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run a server and an agent on this machine",
		Long: `Starts a server and one agent for this machine in one process, prints the address, the root access key and ready-made lines for the
vendors' clients, and stays until it is interrupted. What it keeps is in --data, so the next start has the same keys and history.`,
		Example: `  errand up
  errand up --data /tmp/errand --listen 127.0.0.1:9000`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := f.fill(); err != nil {
				return err
			}
			f.Notice = io.Discard // printed below, at each start
			if f.Data == "" {
				f.Data = defaultData()
			}
			return up(cmd.Context(), &f, cmd.OutOrStdout())
		},
	}
	f.add(cmd, "warn")
	cmd.Flags().StringVar(&f.Data, "data", "", "`DIR` for everything that must survive; left out, errand in the user's configuration folder")
	return cmd
}

func defaultData() string {
	if dir, err := os.UserConfigDir(); err == nil {
		return filepath.Join(dir, "errand")
	}
	return "errand-data"
}

func up(ctx context.Context, f *serverFlags, stdout io.Writer) (err error) {
	stack, err := local.Start(ctx, f.Config)
	if err != nil {
		return err
	}
	defer func() {
		stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		err = errors.Join(err, stack.Stop(stopCtx))
	}()
	stopAgent, err := stack.Agent(context.WithoutCancel(ctx), stack.AgentDir("local"), "local", version)
	if err != nil {
		return err
	}
	defer stopAgent()
	if err := errors.Join(leaveAddress(f.Data, stack.Server), welcome(stdout, f, stack.Server)); err != nil {
		return err
	}
	return stack.Server.Wait(ctx)
}

const welcomeText = `Errand is up. The machine it runs on is the node "local".

  console            %[1]s/console/
  API                %[1]s   (ECS, eflo-controller, TAT, ZOS and /api/v1)
  access key id      %[2]s
  access key secret  %[3]s
  data               %[4]s

Run a command and look at it:

  curl -su %[2]s:%[3]s %[1]s/api/v1/invocations -d '{"content":"uname -a","targets":["local"]}'

Alibaba Cloud CLI:

  aliyun ecs RunCommand --endpoint %[5]s --insecure --region cn-hangzhou --access-key-id %[2]s --access-key-secret %[3]s \
      --Type RunShellScript --CommandContent 'uname -a' --InstanceId.1 local
  aliyun ecs DescribeInvocationResults --endpoint %[5]s --insecure --region cn-hangzhou --access-key-id %[2]s --access-key-secret %[3]s \
      --ContentEncoding PlainText

SDKs take the endpoint %[5]s with the scheme %[6]s and this key. Interrupt to stop.
`

func welcome(w io.Writer, f *serverFlags, s *server.Server) error {
	cred := server.Credentials{AccessKeyID: f.RootKeyID, AccessKeySecret: f.RootSecret}
	if cred.AccessKeyID == "" {
		b, err := os.ReadFile(filepath.Join(f.Data, "root-credentials.json"))
		if err != nil {
			return fmt.Errorf("root key: %w", err)
		}
		if err := json.Unmarshal(b, &cred); err != nil {
			return fmt.Errorf("root key: %w", err)
		}
	}
	url := loopback(s.URL())
	scheme, endpoint, _ := strings.Cut(url, "://")
	_, err := fmt.Fprintf(w, welcomeText, url, cred.AccessKeyID, cred.AccessKeySecret, f.Data, endpoint, scheme)
	return err
}
