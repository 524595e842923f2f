package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// pushing is an order to bring files to nodes.
type pushing struct {
	transferring
	mode, owner, group string
	overwrite          bool
}

func newPush() *cobra.Command {
	var c connection
	var p pushing
	cmd := &cobra.Command{
		Use:   "push SRC... DEST",
		Short: "Bring large files to nodes",
		Long: `Uploads each file to the server and brings it from there to the nodes, which put it in its place whole or not at all. DEST is the file's
absolute path on the nodes, or a folder if it ends in a slash or several files are pushed; folders that are missing are made. What was
moved already is not moved again: nodes go on after any break, and the same command goes on with an upload that was broken off.` +
			transferHelp + connectHelp,
		Example: `  errand push -t web-1 -t web-2 --overwrite model.bin /srv/models/
  errand push --tag role=db --mode 0600 --owner postgres --overwrite pg_hba.conf /etc/postgresql/pg_hba.conf
  errand push -t web-1 a.tar b.tar /srv/images/ -o json`,
		Args: func(cmd *cobra.Command, args []string) error { return usage(cobra.MinimumNArgs(2)(cmd, args)) },
		RunE: func(cmd *cobra.Command, args []string) error {
			return p.run(cmd, &c, args[:len(args)-1], args[len(args)-1])
		},
	}
	c.add(cmd)
	p.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&p.mode, "mode", "", "permissions on the nodes, octal `MODE`; left out, 0644")
	flags.StringVar(&p.owner, "owner", "", "`USER` who is to own the file; left out, the agent's own user")
	flags.StringVar(&p.group, "group", "", "`GROUP` of the file; left out, the agent's own group")
	flags.BoolVar(&p.overwrite, "overwrite", false, "replace a file that is there")
	return cmd
}

func (p *pushing) run(cmd *cobra.Command, c *connection, sources []string, dest string) error {
	if err := p.check(); err != nil {
		return usage(err)
	}
	api, err := c.dial()
	if err != nil {
		return err
	}
	many := len(sources) > 1 || strings.HasSuffix(dest, "/") || strings.HasSuffix(dest, `\`)
	var all []transferResult
	for _, src := range sources {
		dir, name := splitPath(dest)
		if many {
			dir, name = strings.TrimRight(dest, `/\`), baseName(src)
			if dir == "" {
				dir = "/"
			}
		}
		r, err := p.push(cmd, api, src, dir, name)
		if err != nil {
			return err
		}
		all = append(all, r)
	}
	return c.transferred(cmd, all)
}

// splitPath parts a node's path, which may be one of Windows, into folder and name.
func splitPath(p string) (dir, name string) {
	i := strings.LastIndexAny(p, `/\`)
	if i <= 0 {
		return p[:i+1], p[i+1:]
	}
	return p[:i], p[i+1:]
}

func baseName(p string) string {
	_, name := splitPath(p)
	return name
}

// push uploads one file and waits until the nodes have it.
func (p *pushing) push(cmd *cobra.Command, api *client.Client, src, dir, name string) (r transferResult, err error) {
	line := newProgress(cmd.ErrOrStderr(), "upload "+path.Base(src))
	defer line.end()
	up, err := upload(cmd.Context(), api, src, line)
	if err != nil {
		return r, fmt.Errorf("%s: %w", src, err)
	}
	body := map[string]any{
		"transfer": up.ID, "dir": dir, "name": name, "mode": p.mode, "owner": p.owner, "group": p.group, "overwrite": p.overwrite,
	}
	p.fill(body)
	var v native.Invocation
	if err := api.Call(cmd.Context(), http.MethodPost, "pushes", nil, body, &v); err != nil {
		return r, fmt.Errorf("%s: %w", src, err)
	}
	r = transferResult{Source: src, Invocation: v.ID, Hash: up.Hash, Size: up.Size}
	if p.detach {
		return r, nil
	}
	line.about("push " + path.Base(src))
	r.Tasks, err = p.wait(cmd.Context(), api, v.ID, line, func(*native.Carriage) error { return nil })
	return r, err
}

// upload brings a file to the server, or what is missing of it.
func upload(ctx context.Context, api *client.Client, src string, line *progress) (up native.Upload, err error) {
	f, err := os.Open(src)
	if err != nil {
		return up, err
	}
	defer f.Close() // it is only read
	info, err := f.Stat()
	if err != nil {
		return up, err
	}
	if !info.Mode().IsRegular() {
		return up, errors.New("not a regular file")
	}
	sum := sha256.New()
	size, err := io.Copy(sum, contextReader{ctx, f})
	if err != nil {
		return up, err
	}
	body := map[string]any{"name": path.Base(src), "size": size, "sha256": hex.EncodeToString(sum.Sum(nil))}
	if err := api.Call(ctx, http.MethodPost, "transfers", nil, body, &up); err != nil {
		return up, err
	}
	buffer := make([]byte, max(1, up.ChunkSize))
	for !up.Complete {
		n, err := f.ReadAt(buffer, up.Have)
		if err != nil && !errors.Is(err, io.EOF) {
			return up, err
		}
		if n == 0 {
			return up, errors.New("it became shorter while it was uploaded")
		}
		if err := uploadChunk(ctx, api, &up, buffer[:n]); err != nil {
			return up, err
		}
		line.show(up.Have, up.Size, "")
	}
	return up, nil
}

// uploadChunk sends the next chunk until the server has said what it has.
func uploadChunk(ctx context.Context, api *client.Client, up *native.Upload, data []byte) error {
	hash := sha256.Sum256(data)
	at := client.Path("transfers", up.ID, "chunks", strconv.FormatInt(up.Have/up.ChunkSize, 10))
	return insist(ctx, func() error {
		answer, _, err := api.Bytes(ctx, http.MethodPut, at, url.Values{"sha256": {hex.EncodeToString(hash[:])}}, data)
		if err != nil {
			return err
		}
		return decodeAnswer(answer, up)
	})
}

// contextReader is a reader that ends with a context.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(b []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(b)
}
