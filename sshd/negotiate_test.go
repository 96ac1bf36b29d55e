package sshd

import (
	"bytes"
	"encoding/pem"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys"
	"shelf/sshd/wire"
)

const (
	gcm128, gcm256 = ssh.CipherAES128GCM, ssh.CipherAES256GCM
	chacha         = ssh.CipherChaCha20Poly1305
	ctr            = ssh.CipherAES128CTR
)

func TestNegotiate(t *testing.T) {
	both := func(ciphers, macs string) *wire.KexInit {
		c, m := strings.Split(ciphers, ","), strings.Split(macs, ",")
		return &wire.KexInit{CiphersClientServer: c, CiphersServerClient: c, MACsClientServer: m, MACsServerClient: m}
	}
	oneWay := both(chacha+","+gcm128, "")
	oneWay.CiphersServerClient = []string{chacha}
	oneWayMAC := both(ctr, ssh.HMACSHA256ETM)
	oneWayMAC.MACsClientServer = []string{ssh.HMACSHA256}
	usual, plain := macs(), append(macs(), ssh.HMACSHA256)
	for name, test := range map[string]struct {
		client  *wire.KexInit
		aes     bool
		ciphers []string
		macs    []string
	}{
		"OpenSSH":              {both(chacha+",aes128-ctr,"+gcm128+","+gcm256, ssh.HMACSHA256ETM), true, aeadAES(), usual},
		"OpenSSH, no AES":      {both(chacha+",aes128-ctr,"+gcm128, ssh.HMACSHA256ETM), false, ciphers(), usual},
		"nothing known":        {nil, true, ciphers(), usual},
		"no AES-GCM":           {both(chacha+","+ctr, ssh.HMACSHA256ETM), true, ciphers(), usual},
		"AES-GCM one way only": {oneWay, true, ciphers(), usual},
		"libssh2 1.10":         {both("aes256-ctr,"+ctr, ssh.HMACSHA256+",hmac-sha1"), true, ciphers(), plain},
		"no ETM, but ChaCha":   {both(chacha+","+ctr, ssh.HMACSHA256), true, ciphers(), usual},
		"ETM and plain":        {both(ctr, ssh.HMACSHA256+","+ssh.HMACSHA512ETM), true, ciphers(), usual},
		"plain one way":        {oneWayMAC, true, ciphers(), plain},
		"no AES-GCM of ours":   {both("aes128-cbc", "hmac-md5"), true, ciphers(), usual},
		"empty":                {&wire.KexInit{}, true, ciphers(), usual},
	} {
		got := negotiate(test.client, test.aes)
		if !slices.Equal(got.ciphers, test.ciphers) || !slices.Equal(got.macs, test.macs) {
			t.Errorf("%s: offered %v, want %v and %v", name, got, test.ciphers, test.macs)
		}
	}
}

// agreed connects with a client configuration and returns the algorithms that
// were agreed on.
func (s *testServer) agreed(t *testing.T, conn net.Conn, config ssh.Config) ssh.NegotiatedAlgorithms {
	t.Helper()
	c := s.clientConfig()
	c.Config = config
	client, channels, requests, err := ssh.NewClientConn(conn, s.address, c)
	if err != nil {
		t.Fatal(err)
	}
	defer ssh.NewClient(client, channels, requests).Close()
	return client.(ssh.AlgorithmsConnMetadata).Algorithms()
}

func TestAgreement(t *testing.T) {
	s := serve(t, nil)
	fast := gcm256
	if !hasAES() {
		fast = chacha
	}
	for name, test := range map[string]struct {
		config      ssh.Config
		cipher, mac string
	}{
		"as OpenSSH asks":  {ssh.Config{Ciphers: []string{chacha, ctr, gcm256, gcm128}}, fast, ""},
		"ChaCha20 alone":   {ssh.Config{Ciphers: []string{chacha}}, chacha, ""},
		"as libssh2 asks":  {ssh.Config{Ciphers: []string{ctr}, MACs: []string{"hmac-sha1", ssh.HMACSHA256}}, ctr, ssh.HMACSHA256},
		"encrypt-then-MAC": {ssh.Config{Ciphers: []string{ctr}, MACs: []string{ssh.HMACSHA256, ssh.HMACSHA512ETM}}, ctr, ssh.HMACSHA512ETM},
		"of the old kex":   {ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}, Ciphers: []string{gcm128}}, gcm128, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got := s.agreed(t, s.dialTCP(t), test.config)
			for _, way := range []ssh.DirectionAlgorithms{got.Read, got.Write} {
				if way.Cipher != test.cipher || way.MAC != test.mac {
					t.Errorf("got %s with %q, want %s with %q", way.Cipher, way.MAC, test.cipher, test.mac)
				}
			}
		})
	}
}

func TestWeakAlgorithmsRefused(t *testing.T) {
	s := serve(t, nil)
	for name, config := range map[string]ssh.Config{
		"SHA-1 exchange": {KeyExchanges: []string{ssh.InsecureKeyExchangeDH14SHA1}},
		"NIST exchange":  {KeyExchanges: []string{ssh.KeyExchangeECDHP521}},
		"CBC":            {Ciphers: []string{ssh.InsecureCipherAES128CBC}},
		"SHA-1 MAC":      {Ciphers: []string{ctr}, MACs: []string{ssh.HMACSHA1}},
	} {
		c := s.clientConfig()
		c.Config = config
		if client, err := ssh.Dial("tcp", s.address, c); err == nil {
			client.Close()
			t.Errorf("%s: connected", name)
		}
	}
}

// Some clients wait for the server's KEXINIT before they send theirs.
func TestClientHoldsItsKexInitBack(t *testing.T) {
	s := serve(t, nil)
	conn := s.dialTCP(t)
	if _, err := io.WriteString(conn, "SSH-2.0-Late\r\n"); err != nil {
		t.Fatal(err)
	}
	var got bytes.Buffer
	conn.SetReadDeadline(time.Now().Add(patience))
	for !bytes.Contains(got.Bytes(), []byte(chacha)) {
		if _, err := io.CopyN(&got, conn, 1); err != nil {
			t.Fatalf("after %q: %v", got.Bytes(), err)
		}
	}
	if !strings.HasPrefix(got.String(), wire.Version+"\r\n") {
		t.Errorf("the server began with %q", got.Bytes()[:32])
	}
	if n := strings.Count(got.String(), wire.Version); n != 1 {
		t.Errorf("the server said its version %d times", n)
	}
	if !strings.Contains(got.String(), gcm128) {
		t.Error("AES-GCM is not in the usual offer")
	}
}

// trickle sends one byte at a time.
type trickle struct{ net.Conn }

func (c trickle) Write(p []byte) (int, error) {
	for i := range p {
		if _, err := c.Conn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

func TestClientSendsByteByByte(t *testing.T) {
	s := serve(t, nil)
	got := s.agreed(t, trickle{s.dialTCP(t)}, ssh.Config{Ciphers: []string{chacha, gcm256}})
	if hasAES() && got.Write.Cipher != gcm256 {
		t.Errorf("got %s", got.Write.Cipher)
	}
}

// Who has curve25519 is offered nothing else, whatever it prefers.
func TestNegotiateKeyExchange(t *testing.T) {
	nist := append(keyExchanges(), nistKeyExchanges()...)
	for names, want := range map[string][]string{
		"curve25519-sha256":                        keyExchanges(),
		"ecdh-sha2-nistp256,curve25519-sha256":     keyExchanges(),
		"ecdh-sha2-nistp256," + curve25519LibSSH:   keyExchanges(),
		"ecdh-sha2-nistp256,mlkem768x25519-sha256": keyExchanges(),
		"ecdh-sha2-nistp256,ext-info-c":            nist,
		"ecdh-sha2-nistp384":                       nist,
	} {
		if got := negotiate(&wire.KexInit{KexAlgos: strings.Split(names, ",")}, true); !slices.Equal(got.keyExchanges, want) {
			t.Errorf("%s is offered %q", names, got.keyExchanges)
		}
	}
	if got := negotiate(nil, true); !slices.Equal(got.keyExchanges, keyExchanges()) {
		t.Errorf("a client that waits is offered %q", got.keyExchanges)
	}
	got := negotiate(nil, false).fips()
	if !slices.Equal(got.keyExchanges, nistKeyExchanges()) || slices.Contains(got.ciphers, chacha) || len(got.ciphers) != 4 {
		t.Errorf("with FIPS: %q", got)
	}
	if slices.Contains(fipsUserAlgorithms(), ssh.KeyAlgoED25519) || len(fipsUserAlgorithms()) != len(keys.UserAlgorithms())-2 {
		t.Errorf("with FIPS people log in with %q", fipsUserAlgorithms())
	}
}

// A client that knows Ed25519 gets that key: it may have learnt it when there was
// no other.
func TestHostKeysOffered(t *testing.T) {
	state := t.TempDir()
	if err := keys.MakeMissingHostKeys(state); err != nil {
		t.Fatal(err)
	}
	host, err := keys.OpenHostKeys(state)
	if err != nil {
		t.Fatal(err)
	}
	const ed, rsa, ecdsa = ssh.KeyAlgoED25519, ssh.KeyAlgoRSA, ssh.KeyAlgoECDSA256
	for names, want := range map[string][]string{
		"ssh-ed25519,ecdsa-sha2-nistp256,rsa-sha2-512": {ed},
		"ecdsa-sha2-nistp256,rsa-sha2-256,ssh-ed25519": {ed}, // Go's own client
		"rsa-sha2-512,ssh-ed25519":                     {ed, rsa},
		"ecdsa-sha2-nistp256,rsa-sha2-512":             {rsa, ecdsa},
		"ssh-rsa,ecdsa-sha2-nistp256":                  {rsa, ecdsa},
		"":                                             {ed, rsa}, // it waits
	} {
		client := &wire.KexInit{ServerHostKeyAlgos: strings.Split(names, ",")}
		if names == "" {
			client = nil
		}
		var got []string
		for _, key := range (Config{HostKeys: host.Current}).hostKeys(client) {
			got = append(got, key.PublicKey().Type())
		}
		if !slices.Equal(got, want) {
			t.Errorf("%q is offered %q, want %q", names, got, want)
		}
		for _, key := range (Config{HostKeys: host.Current, FIPS: true}).hostKeys(client) {
			if key.PublicKey().Type() == ed {
				t.Errorf("%q is offered %q with FIPS", names, ed)
			}
		}
	}
}

func FuzzNegotiate(f *testing.F) {
	f.Add("a", chacha, "")
	f.Fuzz(func(t *testing.T, kex, ciphers, macsOf string) {
		c, m := strings.Split(ciphers, ","), strings.Split(macsOf, ",")
		o := negotiate(&wire.KexInit{KexAlgos: strings.Split(kex, ","), CiphersClientServer: c, CiphersServerClient: c, MACsClientServer: m, MACsServerClient: m}, true)
		if len(o.ciphers) == 0 || len(o.macs) < len(macs()) {
			t.Errorf("offered %v", o)
		}
	})
}

// ssh gets AES-GCM, although it prefers ChaCha20-Poly1305.
func TestStockClientGetsAESGCM(t *testing.T) {
	program, err := exec.LookPath("ssh")
	if err != nil {
		if os.Getenv("CI") != "" || os.Getenv("SHELF_CI") != "" {
			t.Fatal(err)
		}
		t.Skip("ssh is not installed")
	}
	if !hasAES() {
		t.Skip("the processor has no AES")
	}
	s := serve(t, nil)
	identity := filepath.Join(t.TempDir(), "id")
	s.writeIdentity(t, identity)
	host, port, _ := net.SplitHostPort(s.address)
	out, _ := exec.Command(program, "-v", "-F", "none", "-i", identity, "-p", port,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "BatchMode=yes",
		"ana@"+host).CombinedOutput()
	for _, want := range []string{"server->client cipher: aes128-gcm", "client->server cipher: aes128-gcm", "there is no shell", "Exit status 1"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in:\n%s", want, out)
		}
	}
}

// writeIdentity makes a new key for ana and writes it to a file.
func (s *testServer) writeIdentity(t *testing.T, path string) {
	t.Helper()
	private := newPrivateKey(t)
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	s.authorize(t, signer.PublicKey(), "")
}
