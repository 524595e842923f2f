package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
)

// fetching is an order to take files from nodes.
type fetching struct {
	transferring
	into       string
	follow     bool
	maxBytes   int64
	invocation string
}

func newFetch() *cobra.Command {
	var c connection
	var f fetching
	cmd := &cobra.Command{
		Use:   "fetch PATH... --into DIR",
		Short: "Take files from nodes",
		Long: `Takes regular files from the nodes, by their absolute paths, and puts them into DIR as NAME.NODE. A file that changes while its node reads it is
an error of that node. What was moved already is not moved again, on either half of the way; --invocation goes on with the downloads of an
earlier fetch, as long as the server keeps its results.` + transferHelp + connectHelp,
		Example: `  errand fetch -t web-1 -t web-2 /etc/hostname --into logs
  errand fetch --tag role=db /etc/hosts /etc/fstab --into tables -o json
  errand fetch --invocation 0b5ktarq7d2mw3vf --into logs`,
		RunE: func(cmd *cobra.Command, args []string) error { return f.run(cmd, &c, args) },
	}
	c.add(cmd)
	f.add(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.into, "into", "", "`DIR` for the files; it is made if it is missing")
	flags.BoolVar(&f.follow, "follow", false, "a path may end in a symbolic link")
	flags.Int64Var(&f.maxBytes, "max-bytes", 0, "refuse files of more than so many `BYTES`; left out, what the server takes")
	flags.StringVar(&f.invocation, "invocation", "", "go on with the downloads of an earlier fetch, by `ID`")
	return cmd
}

func (f *fetching) run(cmd *cobra.Command, c *connection, paths []string) error {
	if err := f.checkFetch(paths); err != nil {
		return usage(err)
	}
	api, err := c.dial()
	if err != nil {
		return err
	}
	r := transferResult{Invocation: f.invocation}
	if r.Invocation == "" {
		body := map[string]any{"paths": paths, "follow": f.follow, "max_bytes": f.maxBytes}
		f.fill(body)
		var v native.Invocation
		if err := api.Call(cmd.Context(), http.MethodPost, "fetches", nil, body, &v); err != nil {
			return err
		}
		r.Invocation = v.ID
	}
	if !f.detach {
		if err := f.collect(cmd, api, &r); err != nil {
			return err
		}
	}
	return c.transferred(cmd, []transferResult{r})
}

func (f *fetching) checkFetch(paths []string) error {
	switch {
	case f.invocation != "" && (len(paths) > 0 || len(f.targets) > 0 || len(f.tags) > 0):
		return errors.New("--invocation goes without paths and targets")
	case f.invocation == "" && len(paths) == 0:
		return errors.New("name the files to fetch")
	case f.into == "" && !f.detach:
		return errors.New("--into is needed")
	case f.invocation != "":
		return nil
	}
	for i, p := range paths {
		if slices.ContainsFunc(paths[:i], func(q string) bool { return baseName(q) == baseName(p) }) {
			return fmt.Errorf("two files are called %s, and would get the same name in --into", baseName(p))
		}
	}
	return f.check()
}

// collect downloads each file as soon as the server has all of it.
func (f *fetching) collect(cmd *cobra.Command, api *client.Client, r *transferResult) error {
	if err := os.MkdirAll(f.into, 0o755); err != nil { //nolint:gosec // the caller's own folder
		return err
	}
	line := newProgress(cmd.ErrOrStderr(), "fetch")
	defer line.end()
	done := map[string]bool{}
	var err error
	r.Tasks, err = f.wait(cmd.Context(), api, r.Invocation, line, func(t *native.Carriage) error {
		for _, file := range t.Files {
			if !file.Complete || done[file.Transfer] {
				continue
			}
			to := filepath.Join(f.into, baseName(file.Path)+"."+t.Node)
			if err := download(cmd.Context(), api, &file, to); err != nil {
				return fmt.Errorf("%s of %s: %w", file.Path, t.Node, err)
			}
			done[file.Transfer] = true
		}
		return nil
	})
	return err
}

// download brings a file from the server, or what is missing of it. Until it is whole it is called by the name of its transfer.
func download(ctx context.Context, api *client.Client, file *native.SentFile, to string) error {
	temp := to + "." + file.Transfer + ".part"
	f, err := os.OpenFile(temp, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	err = fillDownload(ctx, api, file, f)
	if err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if errors.Is(err, errHash) {
		err = errors.Join(err, os.Remove(temp)) // the next try begins anew
	}
	if err == nil {
		err = os.Rename(temp, to)
	}
	return err
}

var errHash = errors.New("what arrived has another SHA-256 than the node's file")

// fillDownload goes on where an earlier try ended.
func fillDownload(ctx context.Context, api *client.Client, file *native.SentFile, f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	have := min(info.Size(), file.Size)
	if have < file.Size {
		have -= have % native.ChunkSize
	}
	if err := f.Truncate(have); err != nil {
		return err
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, contextReader{ctx, io.NewSectionReader(f, 0, have)}); err != nil {
		return err
	}
	for have < file.Size {
		data, err := downloadChunk(ctx, api, file, have/native.ChunkSize)
		if err == nil {
			_, err = f.WriteAt(data, have)
		}
		if err != nil {
			return err
		}
		sum.Write(data)
		have += int64(len(data))
	}
	return compare(sum, file.Hash)
}

func compare(sum hash.Hash, want string) error {
	if hex.EncodeToString(sum.Sum(nil)) != want {
		return errHash
	}
	return nil
}

func downloadChunk(ctx context.Context, api *client.Client, file *native.SentFile, n int64) (data []byte, err error) {
	at := client.Path("transfers", file.Transfer, "chunks", strconv.FormatInt(n, 10))
	want := min(native.ChunkSize, file.Size-n*native.ChunkSize)
	err = insist(ctx, func() error {
		var header http.Header
		data, header, err = api.Bytes(ctx, http.MethodGet, at, nil, nil)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(data)
		if hex.EncodeToString(sum[:]) != header.Get(native.ChunkHashHeader) || int64(len(data)) != want {
			return errors.New("a chunk arrived damaged")
		}
		return nil
	})
	return data, err
}
