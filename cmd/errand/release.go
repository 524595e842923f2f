package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"errand/internal/release"
)

func newRelease() *cobra.Command {
	return group("release", "Make, sign and hand over what agents upgrade to",
		`A release is a folder with the programs of one version, packed, and a manifest with their hashes. Agents change only to what enough of their
trusted keys have signed. Make the keys and sign on a machine of your own: a server needs no secret key and must have none.

  errand release keygen release                              a key: release.key stays with you, release.pub is for the list of keys
  errand release keys --out keys.json release.pub            the list of keys that agents shall trust
  errand release sign --key release.key keys.json
  errand release pack --version 1.2.3 --out rel linux/amd64=bin/amd64 linux/arm64=bin/arm64
  errand release sign --key release.key rel
  errand release verify --keys keys.json rel

The server gets the list of keys once, and then each release:

  errand release trust keys.json
  errand release add rel
  errand upgrade start 1.2.3`,
		releaseKeygen, releaseKeys, releasePack, releaseSign, releaseVerify, releaseTrust, releaseAdd, releaseList, releaseRemove,
	)
}

func releaseKeygen(*connection) *cobra.Command {
	return &cobra.Command{
		Use: "keygen NAME", Short: "Make a key to sign releases with",
		Long: `Writes NAME.key, which only its owner may read, and NAME.pub, in the form that openssl genpkey -algorithm ed25519 writes as well. Whoever has the
secret key can change the programs of every machine: keep it on a machine of its own.`,
		Example: "  errand release keygen release", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			public, secret, err := ed25519.GenerateKey(rand.Reader)
			if err != nil {
				return err
			}
			secretText, err := release.EncodeSecret(secret)
			if err != nil {
				return err
			}
			publicText, err := release.EncodePublic(public)
			if err != nil {
				return err
			}
			if err := writeNew(args[0]+".key", secretText, 0o600); err != nil {
				return err
			}
			if err := writeNew(args[0]+".pub", publicText, 0o644); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "key %s in %s.key and %[2]s.pub\n", release.KeyID(public), args[0])
			return err
		},
	}
}

// writeNew writes a file that must not exist yet.
func writeNew(name string, content []byte, mode os.FileMode) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	return errors.Join(err, f.Close())
}

func releaseKeys(*connection) *cobra.Command {
	l := release.KeyList{Product: release.Product}
	var out string
	cmd := &cobra.Command{
		Use: "keys --out FILE PUB...", Short: "Make a list of the keys that agents shall trust",
		Long: `Writes a list of keys, which needs signatures: of as many of its own keys as it asks for, and if it replaces another list, of as many keys of that
one as that asks for. Agents take a list with a higher serial number in place of theirs.`,
		Example: `  errand release keys --out keys.json release.pub
  errand release keys --out keys2.json --serial 2 --threshold 2 ann.pub ben.pub eve.pub`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			for _, name := range args {
				text, err := os.ReadFile(name)
				if err != nil {
					return err
				}
				key, err := release.ReadPublic(text)
				if err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
				l.Keys = append(l.Keys, key)
			}
			l.Created = time.Now().UTC().Truncate(time.Second)
			e, err := release.Wrap(&l)
			if err != nil {
				return err
			}
			text, err := e.Encode()
			if err != nil {
				return err
			}
			return writeNew(out, text, 0o644)
		},
	}
	flags := cmd.Flags()
	flags.StringVar(&out, "out", "", "`FILE` to write; it must not exist yet")
	flags.Uint64Var(&l.Serial, "serial", 1, "`NUMBER` of the list, higher than that of the list it replaces")
	flags.IntVar(&l.Threshold, "threshold", 1, "how many of the keys have to sign")
	_ = cmd.MarkFlagRequired("out") // the flag stands above
	return cmd
}

func releaseSign(*connection) *cobra.Command {
	var keys []string
	cmd := &cobra.Command{
		Use: "sign --key FILE RELEASE", Short: "Sign a release or a list of keys",
		Long:    "Adds signatures to the manifest of a release, given as its folder or as the file, or to a list of keys.",
		Example: "  errand release sign --key release.key rel\n  errand release sign --key old.key --key new.key keys2.json", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			name := documentOf(args[0])
			e, err := readEnvelope(name)
			if err != nil {
				return err
			}
			for _, file := range keys {
				text, err := os.ReadFile(file)
				if err != nil {
					return err
				}
				key, err := release.ReadSecret(text)
				if err == nil {
					err = e.Sign(key)
				}
				if err != nil {
					return fmt.Errorf("%s: %w", file, err)
				}
			}
			text, err := e.Encode()
			if err != nil {
				return err
			}
			if err := replaceFile(name, text); err != nil {
				return err
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s has %d signatures\n", name, len(e.Signatures))
			return err
		},
	}
	cmd.Flags().StringSliceVar(&keys, "key", nil, "secret key `FILE`; may be repeated")
	_ = cmd.MarkFlagRequired("key") // the flag stands above
	return cmd
}

// replaceFile gives a file a new content, whole or not at all.
func replaceFile(name string, content []byte) error {
	if err := os.WriteFile(name+".new", content, 0o644); err != nil { //nolint:gosec // what is signed is for everybody to read
		return err
	}
	return os.Rename(name+".new", name)
}

func readEnvelope(name string) (release.Envelope, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return release.Envelope{}, err
	}
	e, err := release.Open(text)
	if err != nil {
		return e, fmt.Errorf("%s: %w", name, err)
	}
	return e, nil
}
