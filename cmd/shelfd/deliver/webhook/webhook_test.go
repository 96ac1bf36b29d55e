package webhook

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
	"golang.org/x/crypto/ssh"
)

const (
	secretA = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	secretB = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
)

// file writes a file that only its owner reads.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func signers(t *testing.T, text string) []Signer {
	t.Helper()
	all, err := ReadSecrets(file(t, text))
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// loopback is what tests have to allow.
var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}

// send sends a message to a handler.
func send(t *testing.T, h http.HandlerFunc, change ...func(*Options)) Answer {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body) // else the end of the connection is not seen
		r.Body = io.NopCloser(bytes.NewReader(body))
		h(w, r)
	}))
	defer s.Close()
	return sendTo(t, s.URL, change...)
}

func sendTo(t *testing.T, url string, change ...func(*Options)) Answer {
	t.Helper()
	o := Options{URL: url, Signers: signers(t, secretA), Timeout: 10 * time.Second, Allow: loopback, Agent: "test", Conns: 1}
	for _, c := range change {
		c(&o)
	}
	sender, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	defer sender.Close()
	return sender.Send(context.Background(), "id-1", "application/json", []byte(`{"a":"b"}`))
}

// The library of Standard Webhooks accepts what is signed with each of the secrets,
// and what Go verifies is signed with the key.
func TestSignatures(t *testing.T) {
	seed := make([]byte, ed25519.SeedSize)
	key, err := ReadKey(file(t, "whsk_"+base64.StdEncoding.EncodeToString(seed)+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	all := append(signers(t, "# old and new\n"+secretA+"\n\n"+strings.TrimPrefix(secretB, "whsec_")+"\n"), key)
	var body []byte
	var head http.Header
	answer := send(t, func(_ http.ResponseWriter, r *http.Request) {
		body, _ = io.ReadAll(r.Body)
		head = r.Header
	}, func(o *Options) { o.Signers = all })
	if answer.Err != nil {
		t.Fatal(answer.Err)
	}
	for _, secret := range []string{secretA, secretB} {
		verifier, err := standardwebhooks.NewWebhook(secret)
		if err != nil {
			t.Fatal(err)
		}
		if err := verifier.Verify(body, head); err != nil {
			t.Error(err)
		}
		if verifier.Verify(append(body, ' '), head) == nil {
			t.Error("what was changed is accepted")
		}
	}
	public, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(key.Public(), "whpk_"))
	if err != nil || !strings.HasPrefix(key.Public(), "whpk_") {
		t.Fatal(key.Public(), err)
	}
	signed := fmt.Sprintf("%s.%s.%s", head.Get("webhook-id"), head.Get("webhook-timestamp"), body)
	good := false
	for _, one := range strings.Fields(head.Get("webhook-signature")) {
		if text, is := strings.CutPrefix(one, "v1a,"); is {
			signature, err := base64.StdEncoding.DecodeString(text)
			good = err == nil && ed25519.Verify(public, []byte(signed), signature)
		}
	}
	if !good || head.Get("webhook-id") != "id-1" || head.Get("Content-Type") != "application/json" || head.Get("User-Agent") != "test" {
		t.Errorf("%v", head)
	}
}

func TestSecretsAndKeys(t *testing.T) {
	for text, want := range map[string]string{
		"":                             "has no secret",
		"whsec_c2hvcnQ=":               "24 to 64 random bytes",
		"whsec_!":                      "24 to 64 random bytes",
		strings.Repeat("x", maxFile+1): "larger than",
	} {
		if _, err := ReadSecrets(file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	_, private, _ := ed25519.GenerateKey(nil)
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("secret"))
	if err != nil {
		t.Fatal(err)
	}
	if key, err := ReadKey(file(t, string(pem.EncodeToMemory(block)))); err != nil || !key.key.Equal(private) {
		t.Error(err)
	}
	if key, err := ReadKey(file(t, "whsk_"+base64.StdEncoding.EncodeToString(private))); err != nil || !key.key.Equal(private) {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"":                                 "is no private key",
		"whsk_AA":                          "must be followed",
		string(pem.EncodeToMemory(locked)): "has a passphrase",
	} {
		if _, err := ReadKey(file(t, text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	for _, mode := range []os.FileMode{0o644, 0o660, 0o604} {
		path := file(t, secretA)
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadSecrets(path); err == nil || !strings.Contains(err.Error(), "others may read or change") {
			t.Errorf("mode %v: %v", mode, err)
		}
	}
	path := file(t, secretA)
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadSecrets(path); err != nil {
		t.Error(err)
	}
}

func TestURLs(t *testing.T) {
	for url, want := range map[string]bool{
		"https://example.com/hook?key=1": true, "http://10.0.0.1:8080/": true, "https://[2001:db8::1]/": true,
		"": false, "example.com": false, "ftp://example.com": false, "https:///x": false, "https://a:b@example.com/": false,
		"https://example.com/#x": false, "https://exa mple.com/": false, "file:///etc/passwd": false, "unix:/run/x": false,
	} {
		_, err := CheckURL(url)
		if (err == nil) != want {
			t.Errorf("%q: %v", url, err)
		}
		if err != nil && url != "" && strings.Contains(err.Error(), url) {
			t.Errorf("the error tells the URL: %v", err)
		}
	}
	if _, err := New(Options{URL: "https://example.com"}); err == nil {
		t.Error("nothing is signed")
	}
}

// Addresses that are public, and others.
func TestAddresses(t *testing.T) {
	for text, want := range map[string]bool{
		"8.8.8.8": true, "1.1.1.1": true, "100.63.255.255": true, "100.128.0.1": true, "172.15.0.1": true, "172.32.0.1": true,
		"169.253.1.1": true, "192.167.1.1": true, "223.255.255.255": true, "2606:4700::1111": true, "2a00::1": true, "::ffff:8.8.8.8": true,

		"127.0.0.1": false, "127.255.0.1": false, "0.0.0.0": false, "0.1.2.3": false, "10.1.2.3": false, "172.16.0.1": false,
		"172.31.255.255": false, "192.168.1.1": false, "169.254.169.254": false, "100.64.0.1": false, "100.127.255.255": false,
		"192.0.0.8": false, "192.0.2.1": false, "198.18.0.1": false, "198.19.255.255": false, "198.51.100.1": false, "203.0.113.1": false,
		"224.0.0.1": false, "239.1.1.1": false, "240.0.0.1": false, "255.255.255.255": false,
		"::": false, "::1": false, "fe80::1": false, "fe80::1%eth0": false, "2606:4700::1111%eth0": false, "fc00::1": false, "fd12::1": false,
		"ff02::1": false, "fec0::1": false, "2001:db8::1": false, "2001:0:1::1": false, "2002:7f00:1::": false, "64:ff9b::7f00:1": false,
		"64:ff9b:1::1": false, "::7f00:1": false, "::ffff:127.0.0.1": false, "::ffff:10.0.0.1": false, "::ffff:169.254.169.254": false,
		"::ffff:0:127.0.0.1": false, "3fff::1": false, "5f00::1": false, "100::1": false,
	} {
		if err := (guard{}).check(netip.MustParseAddr(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
	allowing := guard{allow: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("fe80::/10")}, plain: true}
	for text, want := range map[string]bool{"10.1.1.1": true, "::ffff:10.1.1.1": true, "fe80::1%eth0": true, "127.0.0.1": false, "8.8.8.8": false} {
		if err := allowing.check(netip.MustParseAddr(text)); (err == nil) != want {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What a name leads to is looked at when the connection is made.
func TestNothingPrivateIsReached(t *testing.T) {
	var asked atomic.Int32
	s := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked.Add(1) }))
	defer s.Close()
	port := s.URL[strings.LastIndexByte(s.URL, ':'):]
	for _, host := range []string{"127.0.0.1", "localhost", "127.1", "[::ffff:127.0.0.1]", "[::1]", "0.0.0.0", "[::]", "2130706433", "0x7f.1"} {
		answer := sendTo(t, "https://"+host+port+"/", func(o *Options) { o.Allow = nil })
		if answer.Err == nil || !answer.Silent {
			t.Errorf("%s: %v", host, answer.Err)
		} else if strings.HasPrefix(host, "127.0.0.1") && !strings.Contains(answer.Err.Error(), "127.0.0.1 is not public") {
			t.Error(answer.Err)
		}
	}
	if asked.Load() > 0 {
		t.Error("it was connected to")
	}
}

func TestAnswers(t *testing.T) {
	type want struct {
		ok, gone, silent bool
		pause            time.Duration
		says             string
	}
	for name, test := range map[string]struct {
		status int
		after  string
		body   string
		want
	}{
		"ok":             {200, "", "thanks", want{ok: true}},
		"accepted":       {202, "", "", want{ok: true}},
		"none":           {204, "", "", want{ok: true}},
		"fault":          {500, "7", "oh", want{says: "answered 500: oh"}},
		"gone":           {410, "", "", want{gone: true}},
		"busy":           {429, "7", "", want{pause: 7 * time.Second}},
		"busy, for ever": {429, "999999999", "", want{pause: maxPause}},
		"down":           {503, "120", "", want{pause: 2 * time.Minute}},
		"down, some":     {503, "soon", "", want{}},
		"down, back":     {503, "-5", "", want{}},
		"gateway":        {502, "", "", want{silent: true}},
		"elsewhere":      {307, "", "", want{says: "redirects are not followed"}},
		"long":           {400, "", strings.Repeat("x", 1<<20), want{says: "answered 400: " + strings.Repeat("x", maxQuoted)}},
	} {
		asked := 0
		a := send(t, func(w http.ResponseWriter, r *http.Request) {
			asked++
			if test.after != "" {
				w.Header().Set("Retry-After", test.after)
			}
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			io.WriteString(w, test.body)
		})
		if (a.Err == nil) != test.ok || a.Gone != test.gone || a.Silent != test.silent || a.Pause != test.pause || asked != 1 {
			t.Errorf("%s: %+v, asked %d times", name, a, asked)
		}
		if test.says != "" && !strings.HasSuffix(a.Err.Error(), test.says) && !strings.Contains(a.Err.Error(), test.says+":") && !strings.Contains(a.Err.Error(), test.says+";") && !strings.Contains(a.Err.Error(), test.says) {
			t.Errorf("%s: %v", name, a.Err)
		}
		if a.Err != nil && len(a.Err.Error()) > 2*maxQuoted {
			t.Errorf("%s: %d bytes are said", name, len(a.Err.Error()))
		}
	}
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	if got := retryAfter("Fri, 02 Jan 2026 03:05:05 GMT", now); got != time.Minute {
		t.Error(got)
	}
}

// A receiver that sends without end, or not at all, or nonsense.
func TestHostileReceivers(t *testing.T) {
	quick := func(o *Options) { o.Timeout = 300 * time.Millisecond }
	for name, h := range map[string]http.HandlerFunc{
		"hangs": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"hangs in the body": func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(500)
			w.(http.Flusher).Flush()
			<-r.Context().Done()
		},
		"huge header": func(w http.ResponseWriter, _ *http.Request) { w.Header().Set("X", strings.Repeat("x", 1<<20)) },
		"no HTTP": func(w http.ResponseWriter, _ *http.Request) {
			c, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				io.WriteString(c, "\x1b[2J nonsense\r\n\r\n")
				c.Close()
			}
		},
	} {
		began := time.Now()
		a := send(t, h, quick)
		if a.Err == nil || strings.Contains(a.Err.Error(), "http://") || time.Since(began) > patience {
			t.Errorf("%s: %v", name, a.Err)
		}
	}
	// A body without an end is not read to its end.
	sent := 0
	a := send(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(500)
		for r.Context().Err() == nil {
			n, err := w.Write(make([]byte, 1<<16))
			if sent += n; err != nil {
				return
			}
		}
	})
	if a.Err == nil || sent > 64<<20 {
		t.Errorf("%v, %d bytes", a.Err, sent)
	}
}

// patience is longer than anything here may take.
const patience = time.Minute

// The server of a URL is known by the authority that is set, and may ask who comes.
func TestTLS(t *testing.T) {
	var shown int
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { shown = len(r.TLS.PeerCertificates) }))
	s.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	s.StartTLS()
	defer s.Close()
	if a := sendTo(t, s.URL); a.Err == nil || !strings.Contains(a.Err.Error(), "certificate") {
		t.Error("a server that nobody vouches for:", a.Err)
	}
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	c.RootCAs.AddCert(s.Certificate())
	if a := sendTo(t, s.URL, func(o *Options) { o.TLS = c }); a.Err == nil {
		t.Error("no certificate was shown, and it was fine")
	}
	c.Certificates = slices.Clone(s.TLS.Certificates)
	if a := sendTo(t, s.URL, func(o *Options) { o.TLS = c }); a.Err != nil || shown != 1 {
		t.Errorf("%v, %d", a.Err, shown)
	}
}
