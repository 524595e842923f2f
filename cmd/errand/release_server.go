package main

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/api/native"
	"errand/internal/client"
	"errand/internal/core"
	"errand/internal/release"
)

// document is a signed document in a call.
type document struct {
	Document string `json:"document"`
}

func releaseTrust(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "trust FILE", Short: "Have the server hand out a list of keys",
		Long: `Gives the server a signed list of keys. Machines that enrol from now on believe in these keys, and all others when they next change. The first list
is taken as it is; every later one must be signed by the one before.`,
		Example: "  errand release trust keys.json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := readFile(cmd, args[0])
			if err != nil {
				return err
			}
			var keys native.ReleaseKeys
			if err := c.call(cmd, http.MethodPost, "release-keys", nil, document{string(text)}, &keys); err != nil {
				return err
			}
			return c.show(cmd, keys, "SERIAL THRESHOLD KEYS", [][]string{{
				strconv.FormatUint(keys.Serial, 10), strconv.Itoa(keys.Threshold), joined(keys.Keys),
			}})
		},
	}
}

const releaseHeader = "VERSION COMPLETE EXPIRES PLATFORMS SIGNED-BY"

func releaseRow(r *native.Release) []string {
	return []string{r.Version, strconv.FormatBool(r.Complete), r.ExpiresAt.Format(time.DateOnly), joined(r.Platforms), joined(r.SignedBy)}
}

func releaseAdd(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "add DIR", Short: "Give a signed release to the server",
		Long:    "Sends the manifest and the programs in DIR. Nothing changes on any machine before errand upgrade start. What was interrupted can be done again.",
		Example: "  errand release add rel", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(documentOf(args[0]))
			if err != nil {
				return err
			}
			e, err := release.Open(text)
			if err != nil {
				return err
			}
			m, err := e.Manifest()
			if err != nil {
				return err
			}
			var r native.Release
			if err := c.call(cmd, http.MethodPost, "releases", nil, document{string(text)}, &r); err != nil {
				return err
			}
			for i := range m.Platforms {
				for j := range m.Platforms[i].Files {
					if r.Complete {
						break
					}
					if err := c.sendProgram(cmd, args[0], m.Version, &m.Platforms[i].Files[j]); err != nil {
						return err
					}
				}
			}
			if err := c.call(cmd, http.MethodPost, client.Path("releases", m.Version, "complete"), nil, nil, &r); err != nil {
				return err
			}
			return c.show(cmd, r, releaseHeader, [][]string{releaseRow(&r)})
		},
	}
}

// sendProgram sends a packed program piece by piece.
func (c *connection) sendProgram(cmd *cobra.Command, dir, version string, f *release.File) (err error) {
	packed, err := os.Open(packedName(dir, f))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, packed.Close()) }()
	piece := make([]byte, core.ReleaseChunk)
	for offset := int64(0); offset < f.Packed; offset += core.ReleaseChunk {
		n := min(core.ReleaseChunk, f.Packed-offset)
		if _, err := io.ReadFull(packed, piece[:n]); err != nil {
			return fmt.Errorf("%s: %w", packed.Name(), err)
		}
		body := map[string]any{"offset": offset, "data": piece[:n]}
		if err := c.call(cmd, http.MethodPut, client.Path("releases", version, "programs", f.PackedSHA256), nil, body, nil); err != nil {
			return err
		}
	}
	return nil
}

func releaseList(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "ls", Aliases: []string{"list"}, Short: "List the releases that the server has", Example: "  errand release ls", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var list native.Releases
			if err := c.call(cmd, http.MethodGet, "releases", nil, nil, &list); err != nil {
				return err
			}
			return c.show(cmd, list, releaseHeader, each(list.Releases, releaseRow))
		},
	}
}

func releaseRemove(c *connection) *cobra.Command {
	return &cobra.Command{
		Use: "rm VERSION", Short: "Remove a release from the server",
		Long: "Removes a release that no rollout hands out. Machines that run it go on.", Example: "  errand release rm 1.2.2", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.call(cmd, http.MethodDelete, client.Path("releases", args[0]), nil, nil, nil)
		},
	}
}
