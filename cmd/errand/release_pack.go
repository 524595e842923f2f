package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/release"
)

// manifestName is the file of a manifest in the folder of its release.
const manifestName = "release.json"

// documentOf is the signed document that an argument names: itself, or that of a release's folder.
func documentOf(name string) string {
	if info, err := os.Stat(name); err == nil && info.IsDir() {
		return filepath.Join(name, manifestName)
	}
	return name
}

// packedName is a program's file in the folder of its release.
func packedName(dir string, f *release.File) string { return filepath.Join(dir, f.PackedSHA256+".gz") }

func releasePack(*connection) *cobra.Command {
	m := release.Manifest{Product: release.Product}
	var out string
	var days int
	cmd := &cobra.Command{
		Use: "pack --version VERSION --out DIR OS/ARCH=FOLDER...", Short: "Make a release out of programs",
		Long: `Packs errand-agent and, if it is there, errand-supervise from each FOLDER into DIR and writes the manifest, which then needs signatures.

Agents refuse a release after its last day, one that is older than what they run (unless it was made with --downgrade), and one that has
nothing for their platform. The version must be the one that errand-agent --version prints.`,
		Example: `  errand release pack --version 1.2.3 --out rel linux/amd64=bin/amd64 linux/arm64=bin/arm64
  errand release pack --version 1.2.2 --downgrade --days 7 --out back linux/amd64=old/amd64`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			m.Created = time.Now().UTC().Truncate(time.Second)
			m.Expires = m.Created.AddDate(0, 0, days)
			if err := os.Mkdir(out, 0o755); err != nil { //nolint:gosec // what is signed is for everybody to read
				return err
			}
			for _, arg := range args {
				p, err := packPlatform(out, arg)
				if err != nil {
					return err
				}
				m.Platforms = append(m.Platforms, p)
			}
			e, err := release.Wrap(&m)
			if err != nil {
				return err
			}
			text, err := e.Encode()
			if err != nil {
				return err
			}
			if err := writeNew(filepath.Join(out, manifestName), text, 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "release %s in %s, to be signed\n", m.Version, out)
			return err
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&m.Version, "version", "", "`VERSION` of the programs, such as 1.2.3")
	flags.StringVar(&out, "out", "", "`DIR` to make")
	flags.IntVar(&days, "days", 365, "how many `DAYS` the release can be changed to")
	flags.Uint64Var(&m.Protocol, "min-protocol", 1, "oldest protocol `VERSION` that the server must speak")
	flags.BoolVar(&m.Back, "downgrade", false, "let it replace newer versions")
	flags.StringVar(&m.Notes, "description", "", "`TEXT` for people")
	for _, name := range []string{"version", "out"} {
		_ = cmd.MarkFlagRequired(name) // the flags stand above
	}
	return cmd
}

// packPlatform packs the programs for one platform, as OS/ARCH=FOLDER names them.
func packPlatform(out, arg string) (p release.Platform, err error) {
	platform, dir, ok := strings.Cut(arg, "=")
	if p.OS, p.Arch, _ = strings.Cut(platform, "/"); !ok || p.OS == "" || p.Arch == "" {
		return p, usage(fmt.Errorf("%q is not OS/ARCH=FOLDER", arg))
	}
	for _, program := range []string{release.AgentProgram, release.SuperviseProgram} {
		name := release.ProgramName(program, p.OS)
		f, err := packProgram(out, name, filepath.Join(dir, name))
		if errors.Is(err, fs.ErrNotExist) && program == release.SuperviseProgram {
			continue // the agent does its work
		}
		if err != nil {
			return p, err
		}
		p.Files = append(p.Files, f)
	}
	return p, nil
}

func packProgram(out, name, path string) (f release.File, err error) {
	program, err := os.Open(path)
	if err != nil {
		return f, err
	}
	defer func() { err = errors.Join(err, program.Close()) }()
	packed, err := os.CreateTemp(out, "packing-*")
	if err != nil {
		return f, err
	}
	f, err = release.Pack(packed, name, program)
	if err = errors.Join(err, packed.Close()); err == nil {
		err = os.Rename(packed.Name(), packedName(out, &f))
	}
	if err != nil {
		return f, errors.Join(err, os.Remove(packed.Name()))
	}
	return f, os.Chmod(packedName(out, &f), 0o644) //nolint:gosec // what is signed is for everybody to read
}

func releaseVerify(c *connection) *cobra.Command {
	var keyFile string
	cmd := &cobra.Command{
		Use: "verify --keys FILE RELEASE", Short: "Check a release as agents do",
		Long: `Checks that enough of the keys in FILE signed the release, that it has not expired, and that its programs are what was signed; or that a list of
keys may replace the one in FILE.`,
		Example: "  errand release verify --keys keys.json rel\n  errand release verify --keys keys.json keys2.json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, err := os.ReadFile(keyFile)
			if err != nil {
				return err
			}
			trusted, err := release.ReadKeys(text)
			if err != nil {
				return fmt.Errorf("%s: %w", keyFile, err)
			}
			name := documentOf(args[0])
			if text, err = os.ReadFile(name); err != nil {
				return err
			}
			e, err := release.Open(text)
			if err != nil {
				return err
			}
			if e.Kind == release.KindKeys {
				next, err := trusted.Succeed(text)
				if err != nil {
					return err
				}
				return c.show(cmd, next, "SERIAL KEYS THRESHOLD", [][]string{{
					strconv.FormatUint(next.Serial, 10), strconv.Itoa(len(next.Keys)), strconv.Itoa(next.Threshold),
				}})
			}
			m, err := release.ReadManifest(text, &trusted)
			if err != nil {
				return err
			}
			if now := time.Now(); !now.Before(m.Expires) {
				return fmt.Errorf("%w: on %s", release.ErrExpired, m.Expires.Format(time.DateOnly))
			}
			if err := checkPrograms(filepath.Dir(name), &m); err != nil {
				return err
			}
			return c.show(cmd, m, "VERSION EXPIRES SIGNED-BY PLATFORMS", [][]string{{
				m.Version, m.Expires.Format(time.DateOnly), joined(e.SignedBy(&trusted)), joined(platformsOf(&m)),
			}})
		},
	}
	cmd.Flags().StringVar(&keyFile, "keys", "", "`FILE` with the list of trusted keys")
	_ = cmd.MarkFlagRequired("keys") // the flag stands above
	return cmd
}

func platformsOf(m *release.Manifest) (names []string) {
	for i := range m.Platforms {
		names = append(names, m.Platforms[i].OS+"/"+m.Platforms[i].Arch)
	}
	return names
}

// checkPrograms unpacks every program of a release.
func checkPrograms(dir string, m *release.Manifest) error {
	for i := range m.Platforms {
		for j := range m.Platforms[i].Files {
			if err := checkProgram(dir, &m.Platforms[i].Files[j]); err != nil {
				return err
			}
		}
	}
	return nil
}

func checkProgram(dir string, f *release.File) error {
	packed, err := os.Open(packedName(dir, f))
	if err != nil {
		return err
	}
	return errors.Join(f.Unpack(io.Discard, packed), packed.Close())
}
