package deliver

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/deliver/webhook"
)

// Receiver is somebody who is told of events.
type Receiver struct {
	Name string
	// Where events go, and by which public key the receiver knows where they come from.
	Where, Key string

	sender      sender
	filter      filter
	backoff     backoff
	giveUp      time.Duration // 0 never does
	concurrency int
	enable      bool // turn it on again, if it was turned off
}

// sender tries to deliver an event.
type sender interface {
	send(ctx context.Context, e *event) webhook.Answer
	close()
}

// hook sends to a URL.
type hook struct{ *webhook.Sender }

func (h hook) send(ctx context.Context, e *event) webhook.Answer {
	return h.Send(ctx, e.ID, contentType, e.message())
}

func (h hook) close() { h.Close() }

func (p program) send(ctx context.Context, e *event) webhook.Answer { return p.run(ctx, e) }

func (p program) close() {}

// Receivers makes the receivers of the settings. One with a mistake is left out, and
// the error tells of it.
func Receivers(s config.Settings, agent string) (all []Receiver, err error) {
	names := make(map[string]bool)
	for i, d := range s.Deliveries() {
		r, wrong := newReceiver(s, d, agent)
		if wrong.err == nil && names[d.Name] {
			wrong = mistake{"name", errors.New("another [[deliver]] has this name")}
		}
		if wrong.err != nil {
			err = errors.Join(err, fmt.Errorf("%s[[deliver]] %q: %w", s.Where(config.DeliverSetting(i, wrong.setting)), d.Name, wrong))
			continue
		}
		names[d.Name] = true
		all = append(all, r)
	}
	return all, err
}

// mistake is in a setting of a receiver.
type mistake struct {
	setting string
	err     error
}

func (m mistake) Error() string { return m.setting + ": " + m.err.Error() }

func (m mistake) Unwrap() error { return m.err }

// names are those that a receiver may have: a file is called by it.
var names = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,63}$`)

func newReceiver(s config.Settings, d config.Deliver, agent string) (Receiver, mistake) {
	r := Receiver{
		Name: d.Name, Where: config.HideURL(d.URL), giveUp: d.GiveUpAfter.Duration, concurrency: d.Concurrency.N,
		filter:  filter{d.Events, d.Libraries, d.Accounts, d.Results},
		backoff: backoff{d.RetryMin.Duration, d.RetryMax.Duration},
	}
	known := s.LibraryNames()
	for _, library := range d.Libraries {
		if !slices.Contains(known, library) {
			return r, mistake{"libraries", fmt.Errorf("there is no library %q", library)}
		}
	}
	switch {
	case !names.MatchString(d.Name):
		return r, mistake{"name", errors.New("a name is 1 to 64 of a-z, 0-9, - and _, and begins with a letter or digit")}
	case (d.URL == "") == (len(d.Command) == 0):
		return r, mistake{"url", errors.New("set either url or command")}
	case r.backoff.least > r.backoff.most:
		return r, mistake{"retry_min", errors.New("it is more than retry_max")}
	case d.URL != "":
		return newHook(r, d, agent)
	}
	return newProgram(r, d)
}

func newHook(r Receiver, d config.Deliver, agent string) (Receiver, mistake) {
	o := webhook.Options{URL: d.URL, Timeout: d.Timeout.Duration, Allow: config.Prefixes(d.AllowNetworks), Agent: agent, Conns: d.Concurrency.N}
	at, err := webhook.CheckURL(d.URL)
	if err != nil {
		return r, mistake{"url", err}
	}
	if at.Scheme == "http" && len(o.Allow) == 0 {
		return r, mistake{"url", errors.New("without TLS everybody on the way reads what is sent; use https://, or name the network that it leads to in allow_networks")}
	}
	if d.SecretFile == "" && d.KeyFile == "" {
		return r, mistake{"secret_file", errors.New("what is sent must be signed, so that the receiver knows whom it comes from: set secret_file or key_file")}
	}
	if d.SecretFile != "" {
		if o.Signers, err = webhook.ReadSecrets(d.SecretFile); err != nil {
			return r, mistake{"secret_file", err}
		}
	}
	if d.KeyFile != "" {
		key, err := webhook.ReadKey(d.KeyFile)
		if err != nil {
			return r, mistake{"key_file", err}
		}
		r.Key, o.Signers = key.Public(), append(o.Signers, key)
	}
	o.TLS, err = tlsOf(d)
	if m := (mistake{}); errors.As(err, &m) {
		return r, m
	}
	sender, err := webhook.New(o)
	if err != nil {
		return r, mistake{"url", err}
	}
	r.sender = hook{sender}
	return r, mistake{}
}

// tlsOf is how the server of a URL is known, and how it knows who comes.
func tlsOf(d config.Deliver) (*tls.Config, error) {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.CA != "" {
		text, err := os.ReadFile(d.CA)
		if err != nil {
			return nil, mistake{"ca", err}
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			return nil, mistake{"ca", fmt.Errorf("%s has no certificate in PEM", d.CA)}
		}
	}
	if (d.ClientCertificate == "") != (d.ClientKey == "") {
		return nil, mistake{"client_certificate", errors.New("client_certificate and client_key go together")}
	}
	if d.ClientCertificate != "" {
		certificate, err := os.ReadFile(d.ClientCertificate)
		if err != nil {
			return nil, mistake{"client_certificate", err}
		}
		key, err := webhook.ReadPrivate(d.ClientKey)
		if err != nil {
			return nil, mistake{"client_key", err}
		}
		pair, err := tls.X509KeyPair(certificate, key)
		if err != nil {
			return nil, mistake{"client_certificate", err}
		}
		c.Certificates = []tls.Certificate{pair}
	}
	return c, nil
}

func newProgram(r Receiver, d config.Deliver) (Receiver, mistake) {
	for setting, set := range map[string]bool{
		"secret_file": d.SecretFile != "", "key_file": d.KeyFile != "", "allow_networks": len(d.AllowNetworks) > 0,
		"ca": d.CA != "", "client_certificate": d.ClientCertificate != "", "client_key": d.ClientKey != "",
	} {
		if set {
			return r, mistake{setting, errors.New("it is for url; this receiver is a command")}
		}
	}
	path := d.Command[0]
	if !filepath.IsAbs(path) {
		return r, mistake{"command", fmt.Errorf("%q is no whole path; write the path of the program, and each argument as a text of its own", path)}
	}
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is no file")
	}
	if err == nil && info.Mode()&0o111 == 0 {
		err = errors.New("it is not executable")
	}
	if err == nil {
		err = unix.Access(path, unix.X_OK)
	}
	if err != nil {
		return r, mistake{"command", fmt.Errorf("%s cannot be run: %w", path, err)}
	}
	r.Where, r.sender = path, program{d.Name, d.Command, d.Timeout.Duration}
	return r, mistake{}
}

// Check tells of mistakes in the settings of receivers. Files that this user may not
// read are noted and no mistake: shelfd deliver may run as another user.
func Check(s config.Settings, notes io.Writer) error {
	if len(s.Deliver) == 0 {
		return nil
	}
	_, err := Receivers(s, "")
	var wrong []error
	for _, one := range split(err) {
		if errors.Is(one, os.ErrPermission) {
			fmt.Fprintf(notes, "Not checked, since only shelfd deliver may read it: %v\n", one)
		} else {
			wrong = append(wrong, one)
		}
	}
	if s.AuditLog == "" {
		wrong = append(wrong, fmt.Errorf("%s[[deliver]] needs audit_log: events are read from that file", s.Where("deliver")))
	}
	return errors.Join(wrong...)
}

// split are the errors that were joined.
func split(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []error
		for _, one := range joined.Unwrap() {
			all = append(all, split(one)...)
		}
		return all
	}
	if err == nil {
		return nil
	}
	return []error{err}
}
