// Package webhook sends a message to a URL as Standard Webhooks has it: signed, with
// an id that stays the same when it is sent again. It trusts the receiver with nothing:
// not with where to connect to, not with how much is read, not with how long it takes.
//
//	webhook.go  Sender: one try, and what came of it
//	secrets.go  the secrets and keys that messages are signed with
//	address.go  which addresses may be connected to
package webhook

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Options is what a [Sender] is made from.
type Options struct {
	URL     string
	Signers []Signer
	Timeout time.Duration  // of one try, from the first packet to the last
	TLS     *tls.Config    // nil is the usual
	Allow   []netip.Prefix // networks that may be connected to although they are private
	Agent   string         // the User-Agent
	Conns   int            // that stay open for the next message
}

// Sender sends messages to one URL. It is safe for concurrent use.
type Sender struct {
	o      Options
	client *http.Client
}

// Answer is what came of a try.
type Answer struct {
	Err    error         // nil is that the receiver has the message
	Gone   bool          // the receiver wants no more
	Pause  time.Duration // the receiver wants none for so long; 0 is that it does not say
	Silent bool          // there was no answer, or one of something before it
}

const (
	maxHeader = 16 << 10 // bytes of the headers of an answer
	maxBody   = 4 << 10  // bytes that are read of its body
	maxQuoted = 200      // bytes of it in a reason
	maxPause  = 24 * time.Hour
)

// New makes a Sender. It connects to nobody.
func New(o Options) (*Sender, error) {
	at, err := CheckURL(o.URL)
	if err != nil {
		return nil, err
	}
	if len(o.Signers) == 0 {
		return nil, errors.New("messages must be signed")
	}
	guard := guard{allow: o.Allow, plain: at.Scheme == "http"}
	dialer := &net.Dialer{Timeout: o.Timeout, ControlContext: guard.control}
	transport := &http.Transport{
		Proxy:       nil, // a proxy would look up the address by itself
		DialContext: dialer.DialContext, TLSClientConfig: o.TLS, ForceAttemptHTTP2: true,
		MaxIdleConnsPerHost: o.Conns, MaxConnsPerHost: o.Conns, IdleConnTimeout: 30 * time.Second,
		TLSHandshakeTimeout: o.Timeout, MaxResponseHeaderBytes: maxHeader, DisableCompression: true,
	}
	return &Sender{o, &http.Client{
		Transport: transport, Timeout: o.Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// CheckURL refuses what is no URL to send to.
func CheckURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("this is no URL; write it as https://HOST/PATH") // the error has the URL, which may be secret
	case u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "":
		return nil, errors.New("this is no URL to send to; write it as https://HOST/PATH")
	case u.User != nil:
		return nil, errors.New("a URL with a name or a password is refused: it stands in the configuration; the receiver knows the sender by the signature")
	case u.Fragment != "":
		return nil, errors.New("a URL to send to has no part behind #")
	}
	return u, nil
}

// Close closes the connections that are open.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Send tries once to send a message.
func (s *Sender) Send(ctx context.Context, id, contentType string, body []byte) Answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.o.URL, bytes.NewReader(body))
	if err != nil {
		return Answer{Err: errors.New("no request can be made for the URL")}
	}
	now := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("User-Agent", s.o.Agent)
	// Written as the specification has them; HTTP does not care.
	req.Header["webhook-id"] = []string{id}
	req.Header["webhook-timestamp"] = []string{now}
	req.Header["webhook-signature"] = []string{sign(s.o.Signers, id, now, body)}
	res, err := s.client.Do(req)
	if err != nil {
		return Answer{Err: reason(err), Silent: true}
	}
	said, _ := io.ReadAll(io.LimitReader(res.Body, maxBody))
	res.Body.Close()
	return judge(res, said)
}

// judge says what an answer means.
func judge(res *http.Response, said []byte) Answer {
	if res.StatusCode >= 200 && res.StatusCode <= 299 {
		return Answer{}
	}
	a := Answer{Err: fmt.Errorf("the receiver answered %d", res.StatusCode)}
	if text := strings.TrimSpace(string(said[:min(len(said), maxQuoted)])); text != "" {
		a.Err = fmt.Errorf("%w: %s", a.Err, text)
	}
	switch res.StatusCode {
	case http.StatusGone:
		a.Gone = true
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		a.Pause = retryAfter(res.Header.Get("Retry-After"), time.Now())
	case http.StatusBadGateway, http.StatusGatewayTimeout:
		a.Silent = true
	}
	if res.StatusCode >= 300 && res.StatusCode <= 399 {
		a.Err = fmt.Errorf("%w: redirects are not followed; set the URL that it leads to", a.Err)
	}
	return a
}

// retryAfter reads the header of that name (RFC 9110, 10.2.3).
func retryAfter(text string, now time.Time) time.Duration {
	wait := time.Duration(0)
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		wait = time.Duration(seconds) * time.Second
	} else if at, err := http.ParseTime(text); err == nil {
		wait = at.Sub(now)
	}
	return min(max(0, wait), maxPause)
}

// reason is an error without the URL, which may have a secret in it.
func reason(err error) error {
	if about := (*url.Error)(nil); errors.As(err, &about) {
		if about.Timeout() {
			return errors.New("the receiver did not answer in time")
		}
		return about.Err
	}
	return err
}
