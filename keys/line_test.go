package keys

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"math/big"
	"net"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// text is a public key as it stands in a file, without the newline.
func text(key ssh.PublicKey) string {
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func newKey(t testing.TB) ssh.Signer {
	t.Helper()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := ssh.NewSignerFromKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return signer
}

func public(t testing.TB, key any) ssh.PublicKey {
	t.Helper()
	p, err := ssh.NewPublicKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// rsaKey has a modulus of that many bits; nobody has its private half.
func rsaKey(t testing.TB, bits uint) ssh.PublicKey {
	n := new(big.Int).Lsh(big.NewInt(1), bits-1)
	return public(t, &rsa.PublicKey{N: n.Add(n, big.NewInt(1)), E: 65537})
}

// skKey is the key of a security key, which has an application besides.
func skKey(t testing.TB) ssh.PublicKey {
	t.Helper()
	wire := ssh.Marshal(struct{ Type, Key, Application string }{
		ssh.KeyAlgoSKED25519, strings.Repeat("k", ed25519.PublicKeySize), "ssh:",
	})
	key, err := ssh.ParsePublicKey(wire)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func dsaText() string {
	one := new(big.Int).SetBit(new(big.Int), 1023, 1)
	//lint:ignore SA1019 that the algorithm is refused is what is tested
	name := ssh.InsecureKeyAlgoDSA
	wire := ssh.Marshal(struct {
		Type       string
		P, Q, G, Y *big.Int
	}{name, one, new(big.Int).SetBit(new(big.Int), 159, 1), big.NewInt(2), big.NewInt(4)})
	return "ssh-dss " + base64.StdEncoding.EncodeToString(wire)
}

func certificateText(t testing.TB) string {
	t.Helper()
	cert := &ssh.Certificate{Key: newKey(t).PublicKey(), CertType: ssh.UserCert, ValidBefore: ssh.CertTimeInfinity}
	if err := sign(cert, newKey(t)); err != nil {
		t.Fatal(err)
	}
	return text(cert)
}

func TestLineOfEachKindOfKey(t *testing.T) {
	p256, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ed := text(newKey(t).PublicKey())
	blob := strings.Fields(ed)[1]
	for name, test := range map[string]struct {
		line string
		want string // in the reason; "" is that the line holds
	}{
		"ed25519":               {ed, ""},
		"with a comment":        {ed + " ana@home, her \"old\" laptop", ""},
		"ecdsa":                 {text(public(t, p256.Public())), ""},
		"a security key":        {text(skKey(t)), ""},
		"RSA of 2048 bits":      {text(rsaKey(t, 2048)), ""},
		"RSA of 2047 bits":      {text(rsaKey(t, 2047)), "2048 bits"},
		"RSA of 1024 bits":      {text(rsaKey(t, 1024)), "2048 bits"},
		"DSA":                   {dsaText(), "not"},
		"a certificate":         {certificateText(t), "not accepted"},
		"another type declared": {"ssh-rsa " + blob, "not a public key"},
		"cut short":             {ed[:len(ed)-8], "not a public key"},
		"no type":               {blob, "not a public key"},
		"words":                 {"please let me in", "not a public key"},
		"a private key":         {"-----BEGIN OPENSSH PRIVATE KEY-----", "not a public key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := parseLine(test.line)
			wantReason(t, err, test.want)
		})
	}
}

func wantReason(t *testing.T, err error, want string) {
	t.Helper()
	if want == "" && err != nil {
		t.Errorf("refused: %v", err)
	}
	if want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
		t.Errorf("got %v, want a refusal that says %q", err, want)
	}
}

func TestLineOptions(t *testing.T) {
	ed := text(newKey(t).PublicKey())
	for options, want := range map[string]string{
		`restrict`: "",
		`no-agent-forwarding,no-port-forwarding,no-pty,no-user-rc,no-X11-forwarding`: "",
		`restrict,pty,agent-forwarding`:                                              "",
		`RESTRICT,No-Pty`:                                                            "",
		`no-touch-required`:                                                          "",
		`from="10.0.0.0/8,!10.1.0.0/16,2001:db8::/32,::1"`:                           "",
		`from="192.0.2.*"`:                                                           "",
		`restrict,from="192.0.2.1",expiry-time="20300101Z"`:                          "",

		`from=10.0.0.0/8`:                       "double quotes",
		`from=""`:                               "empty pattern",
		`from="10.0.0.0/8,"`:                    "empty pattern",
		`from="10.0.0.1/8"`:                     "10.0.0.0/8 is the network",
		`from="10.0.0.0/33"`:                    `option from: "10.0.0.0/33" is not a network such as 192.0.2.0/24`,
		`from="host.example.com"`:               "names of hosts",
		`from="*.example.com"`:                  "names of hosts",
		`from="[a-z]*"`:                         "not an address",
		`from="::1",from="::1"`:                 "twice",
		`from`:                                  "no value",
		`expiry-time="20300101"x`:               "double quotes",
		`expiry-time="tomorrow"`:                "not a time",
		`expiry-time="20301301"`:                "not a time",
		`expiry-time="2030010"`:                 "not a time",
		`cert-authority`:                        "",
		`cert-authority,principals="ana"`:       "",
		`principals="ana"`:                      "cert-authority",
		`command="internal-sftp"`:               "",
		`Command="internal-sftp",restrict`:      "",
		`command`:                               "no value",
		`command=internal-sftp`:                 "double quotes",
		`command="INTERNAL-SFTP"`:               "not supported",
		`command="internal-sftp -R"`:            "not supported",
		`environment="A=B"`:                     "not supported",
		`permitopen="localhost:80"`:             "not supported",
		`verify-required`:                       "not supported",
		`no-such-thing`:                         "not supported",
		`restrict,no-such-thing`:                "not supported",
		`restrict="yes"`:                        "not supported",
		`from="10.0.0.0/8`:                      "not a public key",
		`from="10.0.0.0/8\",command="x"`:        "not",
		`from="10.0.0.1" , no-such-thing`:       "not a public key",
		`command="echo \"ssh-ed25519 AAAA\" x"`: "not supported",
	} {
		t.Run(options, func(t *testing.T) {
			_, err := parseLine(options + " " + ed + " comment")
			wantReason(t, err, want)
		})
	}
}

func TestFrom(t *testing.T) {
	for _, test := range []struct {
		list, address string
		want          bool
	}{
		{"10.0.0.0/8", "10.9.8.7", true},
		{"10.0.0.0/8", "11.0.0.1", false},
		{"10.0.0.0/8", "::ffff:10.9.8.7", true}, // over an IPv6 socket
		{"10.0.0.0/8,!10.1.0.0/16", "10.1.2.3", false},
		{"!10.1.0.0/16,10.0.0.0/8", "10.1.2.3", false},
		{"10.0.0.0/8,!10.1.0.0/16", "10.2.2.3", true},
		{"!10.1.0.0/16", "192.0.2.1", false}, // denying allows nothing
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "192.0.2.10", false},
		{"192.0.2.?", "192.0.2.7", true},
		{"192.0.2.?", "192.0.2.77", false},
		{"192.0.2.*,!192.0.2.7", "192.0.2.7", false},
		{"2001:DB8::/32", "2001:db8::1", true},
		{"2001:db8:*", "2001:db8::1", true},
		{"2001:db8::/32", "192.0.2.1", false},
		{"fe80::/10", "fe80::1%eth0", true},
		{"*", "192.0.2.1", true},
		{"0.0.0.0/0", "::1", false},
	} {
		s, err := ParseSources(strings.Split(test.list, ","))
		if err != nil {
			t.Errorf("%s: %v", test.list, err)
			continue
		}
		from := addr(net.JoinHostPort(test.address, "50000"))
		if got := s.allow(from); got != test.want {
			t.Errorf("from=%q allows %s: %v, want %v", test.list, test.address, got, test.want)
		}
	}
	anywhere, err := ParseSources(strings.Split("*", ","))
	if err != nil {
		t.Fatal(err)
	}
	if anywhere.allow(addr("@")) || anywhere.allow(nil) {
		t.Error("a peer without an address is allowed")
	}
}

// addr is a net.Addr of any text.
type addr string

func (addr) Network() string  { return "tcp" }
func (a addr) String() string { return string(a) }

func TestExpiry(t *testing.T) {
	local := func(year int, month time.Month, day, hour, min, sec int) time.Time {
		return time.Date(year, month, day, hour, min, sec, 0, time.Local)
	}
	for text, want := range map[string]time.Time{
		"20300102":        local(2030, 1, 2, 0, 0, 0),
		"203001020304":    local(2030, 1, 2, 3, 4, 0),
		"20300102030405":  local(2030, 1, 2, 3, 4, 5),
		"20300102Z":       time.Date(2030, 1, 2, 0, 0, 0, 0, time.UTC),
		"20300102030405Z": time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC),
	} {
		got, err := parseExpiry(text)
		if err != nil || !got.Equal(want) {
			t.Errorf("%s is %v (%v), want %v", text, got, err, want)
		}
	}
}

// A key given several times of expiry ends at the first of them.
func TestExpiryIsTheEarliest(t *testing.T) {
	line := `expiry-time="20310101Z",expiry-time="20300101Z",expiry-time="20320101Z" ` + text(newKey(t).PublicKey())
	k, err := parseLine(line)
	if err != nil {
		t.Fatal(err)
	}
	end := time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	if k.usable(nil, end.Add(-time.Second)) != nil || k.usable(nil, end) == nil {
		t.Errorf("the key ends at %v, want %v", k.expires, end)
	}
}

func FuzzLine(f *testing.F) {
	ed := text(newKey(f).PublicKey())
	for _, line := range []string{
		ed, "restrict " + ed, `from="10.0.0.0/8,!::1" ` + ed, `expiry-time="20300101Z" ` + ed,
		`command="a \" b",restrict ` + ed, `from="` + ed, `",",` + ed, "= " + ed, dsaText(),
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		k, err := parseLine(line)
		if err != nil {
			return
		}
		if err := checkKey(k.key); err != nil {
			t.Errorf("a weak key got through: %v", err)
		}
		if strings.Contains(line, `from="`) && !strings.Contains(line, ed) {
			return // the words may be in a comment
		}
		if strings.HasPrefix(line, `from="`) && k.from == nil {
			t.Errorf("the restriction of %q is lost", line)
		}
	})
}
