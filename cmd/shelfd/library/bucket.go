package library

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"sync"
	"time"

	"shelf/cmd/shelfd/config"
	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/bucket"
)

// bucketProperties is what a library in any bucket promises.
var bucketProperties = vfs.Properties{Durable: true, ApproximateList: true}

// buckets is what all libraries in buckets share.
type buckets struct {
	once  sync.Once
	spool *bucket.Spool
	slots bucket.Slots
	err   error

	mu    sync.Mutex
	found map[string]found // of buckets in which each account has a library, by URL; mu
}

// found is what a store was found to do, for libraries with these settings.
type found struct {
	at       time.Time
	settings config.Library
	findings []bucket.Finding
}

// foundFor is how long that counts: the libraries of many accounts are opened one after the
// other, as when files expire.
const foundFor = 10 * time.Minute

// openTimeout is how long a bucket may take to be opened.
const openTimeout = time.Minute

// sweepEvery is how often a node looks for what dead nodes left.
const sweepEvery = 10 * time.Minute

// inBucket is a library in a bucket, and the settings that it was opened with.
type inBucket struct {
	*bucket.Bucket
	settings config.Library
}

// IsAt implements store: nothing takes the place of a bucket.
func (*inBucket) IsAt(string) bool { return true }

// isLike tells whether other settings change nothing.
func (b *inBucket) isLike(l config.Library) bool { return reflect.DeepEqual(b.settings, l) }

// openSpool makes what libraries in buckets share, once: after that the sandbox may
// leave no way to make the folder.
func (s *Set) openSpool(settings config.Settings) error {
	b := &s.buckets
	b.once.Do(func() {
		b.spool, b.err = bucket.OpenSpool(settings.SpoolFolder(), settings.SpoolMax.Bytes)
		b.slots = bucket.NewSlots(settings.PartsInFlight.N)
	})
	return b.err
}

// openBucket opens a library in a bucket by its URL.
func (s *Set) openBucket(settings config.Settings, l config.Library, at string) (store, error) {
	if err := s.openSpool(settings); err != nil {
		return nil, err
	}
	o := bucketOptions(settings, l, at, s.log)
	o.Spool, o.Slots, o.Umask, o.Sweep = s.buckets.spool, s.buckets.slots, s.umask, sweepEvery
	if PerAccount(l.Bucket) {
		var err error
		if o.Found, err = s.buckets.findings(settings, l, o.Warn); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	b, err := bucket.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	return &inBucket{b, l}, nil
}

// bucketOptions is how a library in a bucket keeps its files.
func bucketOptions(s config.Settings, l config.Library, at string, log *slog.Logger) bucket.Options {
	name, prefix := config.SplitBucket(at)
	o := bucket.Options{
		Bucket: name, Prefix: prefix,
		Connection: bucket.Connection{
			Endpoint: l.Endpoint, Region: l.Region, PathStyle: l.PathStyle, CA: l.EndpointCA, Profile: l.Profile,
		},
		PartSize: l.PartSize.Bytes, Encryption: l.Encryption, KMSKey: l.KMSKey, Allow: l.AllowDegraded, Log: log,
		Partials: bucket.PartialRules{
			MinSize: s.PartialMinSize.Bytes, MaxAge: s.PartialMaxAge.Duration, PerAccount: int(s.PartialsPerAccount),
		},
	}
	if l.Quota != nil { // what its table leaves out is filled in
		o.Quota, o.MaxFiles = l.Quota.Bytes, int64(*l.MaxFiles)
		o.Expires, o.Hold = l.ExpireAfter.Duration > 0, vfs.Hold(*l.Hold)
		o.Versions = bucket.VersionRules{PerName: int(*l.KeepVersions), MaxAge: l.KeepVersionsFor.Duration}
	}
	if o.Partials.PerAccount == 0 {
		o.Partials.PerAccount = -1 // none
	}
	if l.CredentialsFile != "" {
		o.Connection.CredentialsFiles = []string{l.CredentialsFile}
	}
	return o
}

// findings is Findings, asked now and then; warn is told of what is new.
func (b *buckets) findings(s config.Settings, l config.Library, warn func([]bucket.Finding)) ([]bucket.Finding, error) {
	b.mu.Lock()
	f := b.found[l.Bucket]
	b.mu.Unlock()
	if time.Since(f.at) < foundFor && reflect.DeepEqual(f.settings, l) {
		return f.findings, nil
	}
	findings, err := Findings(s, l)
	if err != nil {
		return nil, err
	}
	warn(findings)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.found == nil {
		b.found = make(map[string]found)
	}
	b.found[l.Bucket] = found{time.Now(), l, findings}
	return findings, nil
}

// Findings asks a bucket to do what a library needs. The error says why it can't be
// served.
func Findings(s config.Settings, l config.Library) ([]bucket.Finding, error) {
	ctx, cancel := context.WithTimeout(context.Background(), openTimeout)
	defer cancel()
	at := l.Bucket
	if PerAccount(at) {
		at = keys.ExpandUser(at, ".check") // the name of no account
	}
	o := bucketOptions(s, l, at, slog.New(slog.DiscardHandler))
	found, err := bucket.Probe(ctx, o)
	if err == nil {
		err = o.Judge(found)
	}
	return found, err
}

// accountsInBucket are the accounts for which the URL of a bucket with %u has a folder.
func accountsInBucket(ctx context.Context, s config.Settings, l config.Library, log *slog.Logger) (accounts []string, err error) {
	at, element, after := aroundAccount(l.Bucket)
	folders, err := bucket.Folders(ctx, bucketOptions(s, l, at, log))
	for _, folder := range folders {
		rest, starts := strings.CutPrefix(folder, element)
		account, ends := strings.CutSuffix(rest, after)
		if starts && ends && errors.Join(keys.CheckName(account), vfs.CheckName(account)) == nil {
			accounts = append(accounts, account)
		}
	}
	return accounts, err
}

// aroundAccount is what comes before the element of a URL with %u, and in that element
// before it and after it.
func aroundAccount(url string) (folder, before, after string) {
	folder, rest, _ := strings.Cut(url, userToken)
	last := strings.LastIndexByte(folder, '/')
	after, _, _ = strings.Cut(rest, "/")
	return keys.ExpandUser(folder[:last], ""), keys.ExpandUser(folder[last+1:], ""), keys.ExpandUser(after, "")
}

// Codes is where the servers of a bucket record which one-time codes were used: in the
// bucket of the first library that lies in one, by name, where its prefix is the same
// for all accounts. It is nil if none does.
func Codes(s config.Settings, log *slog.Logger) keys.Claims {
	for _, name := range s.LibraryNames() {
		l := s.AllLibraries()[name]
		if l.Bucket == "" {
			continue
		}
		at := keys.ExpandUser(l.Bucket, "")
		if PerAccount(l.Bucket) {
			at, _, _ = aroundAccount(l.Bucket)
		}
		codes, err := bucket.OpenCodes(context.Background(), bucketOptions(s, l, at, log))
		if err != nil {
			return noCodes{err} // the library says it, too, and keeps nobody else out
		}
		return codes
	}
	return nil
}

// noCodes takes no code.
type noCodes struct{ err error }

// Claim implements [keys.Claims].
func (n noCodes) Claim(string, uint64) error { return n.err }

// Ports are the TCP ports that it takes to reach the store of a library: its own, that
// of DNS, and where there is no file of credentials those of who gives them out.
func Ports(l config.Library) []uint16 {
	ports := []uint16{53}
	if l.CredentialsFile == "" && os.Getenv("AWS_ACCESS_KEY_ID") == "" {
		ports = append(ports, 80, 443)
	}
	store, err := url.Parse(l.Endpoint)
	switch {
	case err == nil && store.Port() != "":
		if port, err := strconv.ParseUint(store.Port(), 10, 16); err == nil {
			return append(ports, uint16(port))
		}
	case err == nil && store.Scheme == "http":
		return append(ports, 80)
	}
	return append(ports, 443)
}

// ConnectionFiles are the files that are read again to reach the store of a library:
// what knows addresses, certificates, and credentials, which may change.
func ConnectionFiles(l config.Library) []string {
	files := []string{"/etc/resolv.conf", "/etc/hosts", "/etc/nsswitch.conf", "/etc/services", l.EndpointCA, l.CredentialsFile}
	for _, name := range []string{"AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", "AWS_CA_BUNDLE", "SSL_CERT_FILE"} {
		files = append(files, os.Getenv(name))
	}
	if home, err := os.UserHomeDir(); err == nil {
		files = append(files, filepath.Join(home, ".aws", "config"), filepath.Join(home, ".aws", "credentials"))
	}
	return files
}
