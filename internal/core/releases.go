package core

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"

	"errand/internal/release"
)

// ReleaseChunk is how many bytes of a packed program are kept in one blob, and sent in one call.
const ReleaseChunk = 512 << 10

// maxReleases is how many releases an installation keeps.
const maxReleases = 100

func badRelease(err error) error {
	return &Error{Code: CodeInvalid, Reason: ReasonInvalidValue, Field: "document", Detail: err.Error(), Err: err}
}

func noRelease(version string) error {
	return notFound(ReasonAccessNotFound, "no release %.80s", version)
}

// TrustReleaseKeys makes a signed list of keys the one whose signatures releases need. The first list is believed because the operator says so;
// every later one has to be signed by the one before. Nodes learn the first at their enrolment.
func (s *Service) TrustReleaseKeys(ctx context.Context, c Caller, text []byte) (release.KeyList, error) {
	if err := c.operate("release.trust", resource("release", "", nil)); err != nil {
		return release.KeyList{}, err
	}
	newest, ok, err := s.releaseKeys(ctx)
	if err != nil {
		return release.KeyList{}, err
	}
	var l release.KeyList
	if ok {
		l, err = newest.Succeed(text)
	} else {
		l, err = release.ReadKeys(text)
	}
	if err != nil {
		return l, badRelease(err)
	}
	err = s.store.InsertKeyList(ctx, l.Serial, text)
	if errors.Is(err, ErrTaken) {
		err = &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "document", Detail: "a list with this number is there", Err: err}
	}
	return l, err
}

// releaseKeys returns the newest list of keys; false if there is none.
func (s *Service) releaseKeys(ctx context.Context) (release.KeyList, bool, error) {
	lists, err := s.store.KeyLists(ctx)
	if err != nil || len(lists) == 0 {
		return release.KeyList{}, false, err
	}
	l, err := release.ReadKeys(lists[len(lists)-1])
	if err != nil {
		err = fmt.Errorf("stored release keys: %w", err)
	}
	return l, true, err
}

// ReleaseKeys returns the newest list of keys as it was signed, for nodes that enrol and for everybody; nil if there is none.
func (s *Service) ReleaseKeys(ctx context.Context) ([]byte, error) {
	lists, err := s.store.KeyLists(ctx)
	if err != nil || len(lists) == 0 {
		return nil, err
	}
	return lists[len(lists)-1], nil
}

// AddRelease stores a signed manifest. Its programs follow with PutProgram, and then CompleteRelease. The same manifest can be added again.
func (s *Service) AddRelease(ctx context.Context, c Caller, text []byte) (Release, error) {
	if err := c.operate("release.add", resource("release", "", nil)); err != nil {
		return Release{}, err
	}
	keys, ok, err := s.releaseKeys(ctx)
	switch {
	case err != nil:
		return Release{}, err
	case !ok:
		return Release{}, &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "document", Detail: "no release keys are trusted here yet"}
	}
	m, err := release.ReadManifest(text, &keys)
	if err != nil {
		return Release{}, badRelease(err)
	}
	c.Trail.note("release/" + m.Version)
	now := s.Now()
	switch {
	case !now.Before(m.Expires):
		return Release{}, badRelease(release.ErrExpired)
	case m.Protocol > s.protocol:
		return Release{}, badRelease(fmt.Errorf("%w: protocol %d instead of %d", release.ErrProtocol, m.Protocol, s.protocol))
	}
	e, err := release.Open(text)
	if err != nil {
		return Release{}, badRelease(err)
	}
	all, err := s.store.ListReleases(ctx)
	if err != nil {
		return Release{}, err
	}
	for i := range all {
		if all[i].Version == m.Version && all[i].Digest == e.Digest() {
			return all[i], nil
		}
	}
	if len(all) >= maxReleases {
		return Release{}, limited(ReasonQuotaObjects, "releases", "more than %d; remove old ones", maxReleases)
	}
	r := Release{Version: m.Version, Digest: e.Digest(), Manifest: text, CreatedAt: now}
	err = s.store.InsertRelease(ctx, r)
	if errors.Is(err, ErrTaken) {
		err = &Error{Code: CodeConflict, Reason: ReasonNameTaken, Field: "version", Detail: "there is another release " + m.Version, Err: err}
	}
	return r, err
}

// program finds a packed program of a release by its hash.
func (r *Release) program(hash string) (release.File, bool) {
	e, err := release.Open(r.Manifest)
	if err != nil {
		return release.File{}, false
	}
	m, err := e.Manifest()
	if err != nil {
		return release.File{}, false
	}
	for i := range m.Platforms {
		for _, f := range m.Platforms[i].Files {
			if f.PackedSHA256 == hash {
				return f, true
			}
		}
	}
	return release.File{}, false
}

func programPrefix(digest string) string { return "release/" + digest + "/" }

func programKey(digest, hash string, chunk int64) string {
	return programPrefix(digest) + hash + "/" + fmt.Sprintf("%04d", chunk)
}

// PutProgram stores the part of a packed program that begins at an offset: ReleaseChunk bytes, or what is left at the end.
func (s *Service) PutProgram(ctx context.Context, c Caller, version, hash string, offset int64, data []byte) error {
	if err := c.operate("release.add", resource("release", version, nil)); err != nil {
		return err
	}
	r, err := s.release(ctx, version)
	if err != nil {
		return err
	}
	f, ok := r.program(hash)
	switch {
	case !ok:
		return notFound(ReasonAccessNotFound, "release %s has no such program", version)
	case r.Complete:
		return &Error{Code: CodeConflict, Reason: ReasonInvalidValue, Field: "version", Detail: "the release is complete"}
	case offset < 0 || offset >= f.Packed || offset%ReleaseChunk != 0 || int64(len(data)) != min(ReleaseChunk, f.Packed-offset):
		return invalid(ReasonInvalidValue, "offset", "a program comes in pieces of %d bytes", ReleaseChunk)
	}
	return s.blobs.Put(ctx, programKey(r.Digest, hash, offset/ReleaseChunk), data)
}

func (s *Service) release(ctx context.Context, version string) (Release, error) {
	r, err := s.store.Release(ctx, version)
	if errors.Is(err, ErrNotFound) {
		err = noRelease(version)
	}
	return r, err
}

// CompleteRelease checks that every program is there and is what was signed. From then on the release can be rolled out.
func (s *Service) CompleteRelease(ctx context.Context, c Caller, version string) (Release, error) {
	if err := c.operate("release.add", resource("release", version, nil)); err != nil {
		return Release{}, err
	}
	r, err := s.release(ctx, version)
	if err != nil || r.Complete {
		return r, err
	}
	e, err := release.Open(r.Manifest)
	if err != nil {
		return r, err
	}
	m, err := e.Manifest()
	if err != nil {
		return r, err
	}
	for i := range m.Platforms {
		for j := range m.Platforms[i].Files {
			if err := s.checkProgram(ctx, &r, &m.Platforms[i].Files[j]); err != nil {
				return r, err
			}
		}
	}
	err = s.store.ChangeRelease(ctx, version, func(row *Release, _ []Rollout) (bool, error) {
		row.Complete = true
		r = *row
		return true, nil
	})
	return r, err
}

func (s *Service) checkProgram(ctx context.Context, r *Release, f *release.File) error {
	sum := sha256.New()
	for offset := int64(0); offset < f.Packed; offset += ReleaseChunk {
		data, err := s.blobs.Get(ctx, programKey(r.Digest, f.PackedSHA256, offset/ReleaseChunk))
		if errors.Is(err, ErrNotFound) {
			return &Error{
				Code: CodeConflict, Reason: ReasonInvalidValue, Field: f.PackedSHA256,
				Detail: "the program is missing from byte " + strconv.FormatInt(offset, 10) + " on",
			}
		}
		if err != nil {
			return err
		}
		sum.Write(data)
	}
	if hex.EncodeToString(sum.Sum(nil)) != f.PackedSHA256 {
		return &Error{Code: CodeInvalid, Reason: ReasonInvalidValue, Field: f.PackedSHA256, Detail: release.ErrContent.Error()}
	}
	return nil
}

// Releases lists the releases, the latest first.
func (s *Service) Releases(ctx context.Context, c Caller) ([]Release, error) {
	if err := c.operate("release.list", resource("release", "", nil)); err != nil {
		return nil, err
	}
	return s.store.ListReleases(ctx)
}

// RemoveRelease removes a release that no open rollout needs, and its programs.
func (s *Service) RemoveRelease(ctx context.Context, c Caller, version string) error {
	if err := c.operate("release.remove", resource("release", version, nil)); err != nil {
		return err
	}
	var digest string
	err := s.store.ChangeRelease(ctx, version, func(r *Release, rollouts []Rollout) (bool, error) {
		digest = r.Digest
		for i := range rollouts {
			if rollouts[i].State.Open() || rollouts[i].State == RolloutFinished {
				return true, &Error{
					Code: CodeConflict, Reason: ReasonInvalidValue, Field: "version",
					Detail: "rollout " + rollouts[i].ID.String() + " hands it out; abort that first",
				}
			}
		}
		return false, nil
	})
	if errors.Is(err, ErrNotFound) {
		return noRelease(version)
	}
	if err != nil {
		return err
	}
	return s.blobs.DeleteAll(ctx, programPrefix(digest))
}

// Program is a packed program that a node fetches.
type Program struct {
	Size   int64
	prefix string
	blobs  Blobs
}

// Program finds a program of a release by what was signed; ErrNotFound if there is none, or not yet. Any node may have it.
func (s *Service) Program(ctx context.Context, digest, hash string) (Program, error) {
	r, err := s.store.ReleaseByDigest(ctx, digest)
	if err != nil {
		return Program{}, err
	}
	f, ok := r.program(hash)
	if !ok || !r.Complete {
		return Program{}, ErrNotFound
	}
	return Program{Size: f.Packed, prefix: programPrefix(digest) + hash + "/", blobs: s.blobs}, nil
}

// Read returns what follows an offset, up to the end of its chunk.
func (p *Program) Read(ctx context.Context, offset int64) ([]byte, error) {
	data, err := p.blobs.Get(ctx, p.prefix+fmt.Sprintf("%04d", offset/ReleaseChunk))
	if err != nil {
		return nil, err
	}
	return data[min(offset%ReleaseChunk, int64(len(data))):], nil
}
