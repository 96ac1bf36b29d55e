package bucket

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"shelf/vfs/bucket/history"
)

// Finding is what the probe found of one thing that a library needs of its store.
type Finding struct {
	Name     string // for allow_degraded
	Holds    bool
	Optional bool   // it is good to have, and nothing is refused without it
	Lost     string // what does not hold without it
	Answer   string // what the store said instead
}

// The names of findings.
const (
	putIfAbsent      = "put-if-absent"
	putIfMatch       = "put-if-match"
	putAfterDelete   = "put-if-absent-after-delete"
	completeIfAbsent = "complete-if-absent"
	completeIfMatch  = "complete-if-match"
	copyPart         = "copy-part"
	copyPartIfMatch  = "copy-part-if-match"
	readIfMatch      = "read-if-match"
	deleteIfMatch    = "delete-if-match"
	checksum         = "checksum"
	versioning       = "versioning"
	listVersions     = "list-versions"
)

// lost is what does not hold without it.
var lostWithout = map[string]string{
	putIfAbsent:      "two uploads of one new name may both be told that they made it",
	putIfMatch:       "a change that comes late may undo a later one",
	putAfterDelete:   "a name that was removed can't be made again where nothing may be replaced",
	completeIfAbsent: "a large upload may replace a file although it must not",
	completeIfMatch:  "a large upload that comes late may undo a later one",
	copyPart:         "a rename and a change of a large file are sent through this server",
	copyPartIfMatch:  "a rename may give the new name to a later content",
	readIfMatch:      "who reads a file while it is replaced may get a mixture",
	deleteIfMatch:    "a remove or a rename may remove a later file",
	checksum:         "an upload that is cut on its way may be published torn",
	versioning:       "who reads a file while it is replaced has to get it again",
	listVersions:     "what was replaced or removed can't be told or brought back (keep_versions)",
}

// abilities are what the store can do.
type abilities struct {
	absent, match, overMarkers, copies, removesMatch, versions, erases bool
}

func abilitiesOf(found []Finding) abilities {
	holds := make(map[string]bool)
	for _, f := range found {
		holds[f.Name] = f.Holds
	}
	return abilities{
		absent: holds[putIfAbsent], match: holds[putIfMatch], overMarkers: holds[putAfterDelete],
		copies: holds[copyPart], removesMatch: holds[deleteIfMatch], versions: holds[versioning], erases: holds[listVersions],
	}
}

// Probe tells what the store of a library holds of what a library needs. It writes
// below ".shelf/probe/", and removes that.
func Probe(ctx context.Context, o Options) ([]Finding, error) {
	s, err := connect(ctx, &o)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.probe(ctx)
}

// Probe implements [vfs.Probe]: the spool takes files, and the store answers.
func (b *Bucket) Probe(ctx context.Context) error {
	f, err := b.o.Spool.Create()
	if err != nil {
		return err
	}
	f.Close()
	ctx, cancel := b.store.brief(ctx)
	defer cancel()
	_, err = b.store.listPage(ctx, b.store.prefix, "", true, 1)
	return failure("look whether the store answers", err)
}

// prober tries what a store does.
type prober struct {
	s     *store
	ctx   context.Context
	key   string
	found []Finding
	err   error // the store was away
}

func (s *store) probe(ctx context.Context) ([]Finding, error) {
	p := &prober{s: s, ctx: ctx, key: s.hiddenKey("probe", newID())}
	defer s.removeHidden(context.WithoutCancel(ctx), p.key, p.key+"-copy", p.key+"-torn")
	err := p.run()
	if err == nil {
		err = p.err
	}
	if err != nil {
		return nil, failure("probe the store", err)
	}
	return p.found, nil
}

// run tries one after the other. The error is that of a call which every store must
// answer.
func (p *prober) run() error {
	first, out := p.put("first", condition{absent: true})
	if out.err != nil {
		return out.err
	}
	_, out = p.put("again", condition{absent: true})
	p.unmet(putIfAbsent, out.err)
	last, out := p.put("second", condition{match: first.etag})
	if out.err == nil {
		_, out = p.put("third", condition{match: first.etag})
		p.unmet(putIfMatch, out.err)
	} else {
		p.add(putIfMatch, false, out.err)
	}
	if now, err := p.s.head(p.ctx, p.key); err == nil {
		last = answer{etag: aws.ToString(now.ETag), version: last.version}
	} else {
		return err
	}
	_, err := p.s.get(p.ctx, p.key, span{0, 2}, first.etag, "")
	p.unmet(readIfMatch, err)
	p.sum()
	if err := p.parts(first, last); err != nil {
		return err
	}
	return p.deletes(first, last)
}

func (p *prober) put(text string, c condition) (answer, outcome) {
	return p.s.put(p.ctx, p.key, bodyOfText([]byte(text)), nil, c)
}

// unmet notes whether a condition was found not to be met.
func (p *prober) unmet(name string, err error) { p.add(name, isUnmet(err), err) }

func (p *prober) add(name string, holds bool, err error) {
	f := Finding{Name: name, Holds: holds, Optional: name == versioning || name == listVersions || name == copyPart, Lost: lostWithout[name]}
	if err != nil && verdictOf(err) != refused {
		p.err = err
	}
	if !holds {
		f.Answer = "200 OK"
		if err != nil {
			f.Answer = fmt.Sprintf("%d %s", status(err), code(err))
		}
	}
	p.found = append(p.found, f)
}

// sum sends a body that is not what its digest says.
func (p *prober) sum() {
	b := bodyOfText([]byte("what was sent"))
	b.from = bytes.NewReader([]byte("what arrived."))
	_, out := p.s.put(p.ctx, p.key+"-torn", b, nil, condition{})
	p.add(checksum, status(out.err) >= 400 && status(out.err) < 500, out.err)
}

// parts tries an upload in parts, which are copied.
func (p *prober) parts(first, last answer) error {
	key := p.key + "-copy"
	from := &look{name: p.key[len(p.s.prefix):], etag: first.etag}
	id, err := p.s.beginParts(p.ctx, key, nil)
	if err != nil {
		return err
	}
	_, err = p.s.copyPart(p.ctx, key, id, 1, from, span{0, 3})
	p.unmet(copyPartIfMatch, err)
	from.etag = last.etag
	etag, err := p.s.copyPart(p.ctx, key, id, 1, from, span{0, 3})
	p.add(copyPart, err == nil && etag != "", err)
	for _, c := range []condition{{absent: true}, {match: first.etag}} {
		if etag, err = p.s.putPart(p.ctx, key, id, 1, bodyOfText([]byte("part"))); err != nil {
			return err
		}
		if c.absent {
			if _, out := p.s.complete(p.ctx, key, id, []string{etag}, c); out.err != nil {
				return out.err
			}
			if id, err = p.s.beginParts(p.ctx, key, nil); err != nil {
				return err
			}
			if etag, err = p.s.putPart(p.ctx, key, id, 1, bodyOfText([]byte("part"))); err != nil {
				return err
			}
		}
		_, out := p.s.complete(p.ctx, key, id, []string{etag}, c)
		p.unmet(map[bool]string{true: completeIfAbsent, false: completeIfMatch}[c.absent], out.err)
		if out.err == nil {
			if id, err = p.s.beginParts(p.ctx, key, nil); err != nil {
				return err
			}
		}
	}
	p.s.abortParts(p.ctx, key, id)
	return nil
}

// deletes tries to remove, and what is left of an object that was removed.
func (p *prober) deletes(first, last answer) error {
	out := p.s.remove(p.ctx, p.key, condition{match: first.etag})
	p.unmet(deleteIfMatch, out.err)
	if out = p.s.remove(p.ctx, p.key, condition{match: last.etag}); out.err != nil && !isGone(out.err) {
		return out.err
	}
	_, out = p.put("after", condition{absent: true})
	p.add(putAfterDelete, out.err == nil, out.err)
	if last.version == "" || last.version == "null" {
		p.add(versioning, false, nil)
		return nil
	}
	// The version that was replaced is to be read still.
	err := p.s.try(p.ctx, func(ctx context.Context) error {
		ctx, cancel := p.s.brief(ctx)
		defer cancel()
		_, err := p.s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &p.s.bucket, Key: &p.key, VersionId: &last.version})
		return err
	})
	p.add(versioning, err == nil || status(err) == http.StatusNotModified, err)
	return p.versions(last)
}

// versions tries to tell old versions, and to remove one for good.
func (p *prober) versions(last answer) error {
	n, err := history.Of(p.ctx, p.key, p.s.versions(p.key, nil))
	told := slices.ContainsFunc(n.Old, func(v history.Version) bool { return v.ID == last.version })
	if told {
		err = p.s.eraseVersion(p.ctx, p.key, last.version)
	}
	p.add(listVersions, told && err == nil, err)
	return nil
}
