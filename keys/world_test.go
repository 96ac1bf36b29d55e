package keys

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/hotp"
	"golang.org/x/crypto/ssh"
)

// noon is the time of all logins in these tests.
var noon = time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)

const (
	home = "192.0.2.1:50000"
	away = "198.51.100.1:50000"
)

// world is accounts, and what is around them.
type world struct {
	*Accounts
	host   ssh.Signer
	log    *bytes.Buffer
	waited []time.Duration // for what was tried before
}

func newWorld(t *testing.T, o Options) *world {
	t.Helper()
	w := &world{host: newKey(t), log: new(bytes.Buffer)}
	o.Log = slog.New(slog.NewTextHandler(w.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	var err error
	if w.Accounts, err = NewAccounts(o); err != nil {
		t.Fatal(err)
	}
	w.now = func() time.Time { return noon }
	w.sleep = func(_ context.Context, d time.Duration) error {
		if d > 0 {
			w.waited = append(w.waited, d)
		}
		return nil
	}
	return w
}

// outcome is how a login ended.
type outcome struct {
	id     Identity
	banner string
	err    error    // of the server
	tried  []string // methods, as the server was asked for them
}

// addressed is a connection whose client has a certain address.
type addressed struct {
	net.Conn
	from net.Addr
}

func (a addressed) RemoteAddr() net.Addr { return a.from }

// pipe is two ends of a connection. Unlike those of net.Pipe they have buffers:
// both sides of SSH begin by writing.
func pipe(t *testing.T) (server, client net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if client, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if server, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	return server, client
}

// login runs a real SSH login.
func (w *world) login(t *testing.T, from, user string, auth ...ssh.AuthMethod) (o outcome) {
	t.Helper()
	server, client := pipe(t)
	defer server.Close()
	served := make(chan struct{})
	go func() {
		defer close(served)
		o.id, o.tried, o.err = w.serve(addressed{server, addr(from)})
	}()
	banner := ""
	conn, _, _, err := ssh.NewClientConn(client, "pipe", &ssh.ClientConfig{
		User: user, Auth: auth, HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		BannerCallback: func(text string) error { banner += text; return nil },
	})
	if err == nil {
		defer conn.Close()
	}
	client.Close()
	<-served
	o.banner = banner
	if (err == nil) != (o.err == nil) {
		t.Fatalf("the client has %v, the server %v", err, o.err)
	}
	return o
}

// serve is the server's side of a login.
func (w *world) serve(conn net.Conn) (id Identity, tried []string, err error) {
	begin := w.Callbacks(context.Background(), nil)
	config := &ssh.ServerConfig{
		PublicKeyCallback: begin.PublicKeyCallback, PasswordCallback: begin.PasswordCallback,
		KeyboardInteractiveCallback: begin.KeyboardInteractiveCallback, VerifiedPublicKeyCallback: w.Verified,
		PublicKeyAuthAlgorithms: UserAlgorithms(),
		AuthLogCallback:         func(_ ssh.ConnMetadata, method string, _ error) { tried = append(tried, method) },
	}
	config.AddHostKey(w.host)
	server, _, _, err := ssh.NewServerConn(conn, config)
	if err != nil {
		return id, tried, err
	}
	id, ok := IdentityOf(server.Permissions)
	if !ok {
		return id, tried, errors.New("no identity")
	}
	return id, tried, nil
}

// cert makes a certificate for a key and its signer.
func cert(t *testing.T, key, authority ssh.Signer, edit func(*ssh.Certificate)) ssh.Signer {
	t.Helper()
	c := &ssh.Certificate{
		Key: key.PublicKey(), CertType: ssh.UserCert, KeyId: "laptop", Serial: 7, ValidPrincipals: []string{"ana"},
		ValidAfter: uint64(noon.Add(-time.Hour).Unix()), ValidBefore: uint64(noon.Add(time.Hour).Unix()),
	}
	if edit != nil {
		edit(c)
	}
	if err := sign(c, authority); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewCertSigner(c, key)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

// forger shows one key and signs with another.
type forger struct {
	ssh.Signer
	other ssh.Signer
}

func (f forger) Sign(r io.Reader, data []byte) (*ssh.Signature, error) { return f.other.Sign(r, data) }

const (
	anasPassword = "correct horse battery staple"
	anasSecret   = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"
)

func hashOf(t *testing.T, text string) string {
	t.Helper()
	hash, err := HashPassword(text)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

func codeAt(t *testing.T, at time.Time) string {
	t.Helper()
	code, err := hotp.GenerateCode(anasSecret, uint64(at.Unix())/codePeriod)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// answers answers all prompts, in their order.
func answers(with ...string) ssh.AuthMethod {
	return ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
		if len(questions) == 0 {
			return nil, nil
		}
		return with[:min(len(with), len(questions))], nil
	})
}

func file(t *testing.T, lines ...string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func inline(t *testing.T, lines ...string) *AuthorizedKeys {
	t.Helper()
	a := NewAuthorizedKeys("", slog.New(slog.DiscardHandler))
	if err := a.Add(lines...); err != nil {
		t.Fatal(err)
	}
	return a
}

func chains(t *testing.T, texts ...string) (all []Chain) {
	t.Helper()
	for _, text := range texts {
		c, err := ParseChain(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, c)
	}
	return all
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}

func wantVerdict(t *testing.T, o outcome, want string, untold bool) {
	t.Helper()
	if want == "" {
		if o.err != nil {
			t.Errorf("refused: %v", o.err)
		}
		return
	}
	if o.err == nil || !strings.Contains(o.err.Error(), want) {
		t.Errorf("got %v, want a refusal that says %q", o.err, want)
	}
	if told := strings.Contains(o.banner, want); told == untold {
		t.Errorf("the person was told %q", o.banner)
	}
}

// forgedCert says that it is of an authority, but another has signed it.
func forgedCert(t *testing.T, key, by, authority ssh.Signer) ssh.Signer {
	signer := cert(t, key, by, nil)
	c := signer.PublicKey().(*ssh.Certificate)
	c.SignatureKey = authority.PublicKey()
	return signer
}

// sign signs a certificate, one without principals as well, which SignCert refuses.
func sign(c *ssh.Certificate, authority ssh.Signer) (err error) {
	c.Nonce, c.SignatureKey, c.Signature = make([]byte, 32), authority.PublicKey(), nil
	unsigned := c.Marshal()
	c.Signature, err = authority.Sign(rand.Reader, unsigned[:len(unsigned)-4]) // without the empty signature's length
	return err
}
