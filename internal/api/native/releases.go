package native

import (
	"context"
	"encoding/base64"
	"errors"
	"time"

	"errand/internal/api"
	"errand/internal/core"
	"errand/internal/release"
)

// Release is a version of the agent that nodes can change to.
type Release struct {
	Version     string    `json:"version"`
	Digest      string    `json:"digest"`
	Complete    bool      `json:"complete"` // all of its programs are there
	CreatedAt   time.Time `json:"created_at"`
	ExpiresAt   time.Time `json:"expires_at"`
	Downgrade   bool      `json:"downgrade"`
	Description string    `json:"description,omitempty"`
	Platforms   []string  `json:"platforms"`
	SignedBy    []string  `json:"signed_by"` // ids of keys, whether they are trusted or not
}

// Releases is a list of releases, the latest first.
type Releases struct {
	Releases []Release `json:"releases"`
}

// ReleaseKeys is the list of keys whose releases are believed.
type ReleaseKeys struct {
	Serial    uint64   `json:"serial"`
	Threshold int      `json:"threshold"`
	Keys      []string `json:"keys"` // ids
}

func showRelease(r *core.Release) Release {
	out := Release{Version: r.Version, Digest: r.Digest, Complete: r.Complete, CreatedAt: r.CreatedAt, Platforms: []string{}, SignedBy: []string{}}
	e, err := release.Open(r.Manifest)
	if err != nil {
		return out
	}
	for _, s := range e.Signatures {
		out.SignedBy = append(out.SignedBy, s.Key)
	}
	if m, err := e.Manifest(); err == nil {
		out.ExpiresAt, out.Downgrade, out.Description = m.Expires, m.Back, m.Notes
		for i := range m.Platforms {
			out.Platforms = append(out.Platforms, m.Platforms[i].OS+"/"+m.Platforms[i].Arch)
		}
	}
	return out
}

func (d *Dialect) listReleases(ctx context.Context, c core.Caller, _ *empty) (*Releases, error) {
	rows, err := d.env.Service.Releases(ctx, c)
	list := Releases{Releases: make([]Release, len(rows))}
	for i := range rows {
		list.Releases[i] = showRelease(&rows[i])
	}
	return &list, err
}

// signedDocument is a manifest or a list of keys as it was signed.
type signedDocument struct {
	Document string `json:"document"`
}

func (d *Dialect) trustKeys(ctx context.Context, c core.Caller, req *signedDocument) (*ReleaseKeys, error) {
	l, err := d.env.Service.TrustReleaseKeys(ctx, c, []byte(req.Document))
	out := ReleaseKeys{Serial: l.Serial, Threshold: l.Threshold, Keys: []string{}}
	for _, key := range l.Keys {
		out.Keys = append(out.Keys, release.KeyID(key))
	}
	return &out, err
}

func (d *Dialect) addRelease(ctx context.Context, c core.Caller, req *signedDocument) (*Release, error) {
	r, err := d.env.Service.AddRelease(ctx, c, []byte(req.Document))
	out := showRelease(&r)
	return &out, err
}

type putProgram struct {
	Version string `json:"-" path:"version"`
	Hash    string `json:"-" path:"hash"`
	Offset  int64  `json:"offset"`
	Data    string `json:"data"` // Base64
}

func (d *Dialect) putProgram(ctx context.Context, c core.Caller, req *putProgram) (*empty, error) {
	data, err := base64.StdEncoding.DecodeString(req.Data)
	if err != nil {
		return nil, &api.ParamError{Name: "data", Err: errors.New("not Base64")}
	}
	return &empty{}, d.env.Service.PutProgram(ctx, c, req.Version, req.Hash, req.Offset, data)
}

type ofRelease struct {
	Version string `json:"-" path:"version"`
}

func (d *Dialect) completeRelease(ctx context.Context, c core.Caller, req *ofRelease) (*Release, error) {
	r, err := d.env.Service.CompleteRelease(ctx, c, req.Version)
	out := showRelease(&r)
	return &out, err
}

func (d *Dialect) removeRelease(ctx context.Context, c core.Caller, req *ofRelease) (*empty, error) {
	return &empty{}, d.env.Service.RemoveRelease(ctx, c, req.Version)
}
