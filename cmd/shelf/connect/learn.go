package connect

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/skeema/knownhosts"
	"golang.org/x/crypto/ssh"
	xknownhosts "golang.org/x/crypto/ssh/knownhosts"
)

// The extension by which a server announces all its host keys, so that the next one
// is known before it is used (OpenSSH's PROTOCOL, section 2.5).
const (
	hostKeysAnnounced = "hostkeys-00@openssh.com"
	hostKeysProven    = "hostkeys-prove-00@openssh.com"
)

// learn takes the announcement of host keys out of the requests of a server, and
// handles it in the background. It returns the other requests. An error is only
// printed as a detail: the known key still counts.
func (h *hosts) learn(conn ssh.Conn, requests <-chan *ssh.Request) <-chan *ssh.Request {
	others := make(chan *ssh.Request)
	once := h.learns && h.plain != nil && h.file != ""
	now := *h // check can be called again meanwhile
	go func() {
		defer close(others)
		for r := range requests {
			if r.Type != hostKeysAnnounced {
				others <- r
				continue
			}
			if once {
				once = false
				go func() {
					if err := now.update(conn, r.Payload); err != nil {
						now.Detailf("shelf: the host keys that %s announces are not recorded: %v", now.host, err)
					}
				}()
			}
			r.Reply(true, nil)
		}
	}()
	return others
}

// update records the new keys that the server proves to have. It adds them only to
// a person's file that has the key of this connection, in a line for this host
// alone: lines for many hosts, and lines of authorities, are not for us to change.
func (h *hosts) update(conn ssh.Conn, announced []byte) error {
	known, err := h.lines()
	if err != nil || len(known) == 0 {
		return err
	}
	keys, err := h.unknown(announced, known)
	if err != nil || len(keys) == 0 {
		return err
	}
	if err := prove(conn, keys); err != nil {
		return err
	}
	var text bytes.Buffer
	for _, k := range keys {
		text.WriteString(knownhosts.Line([]string{h.host}, k) + "\n")
		h.Detailf("shelf: a further key of %s is %s", h.host, ssh.FingerprintSHA256(k))
	}
	return h.append(text.Bytes())
}

// lines is the lines of the person's file for this host, if the key of this
// connection is among them. It is an error if one of them is for more hosts.
func (h *hosts) lines() ([]xknownhosts.KnownKey, error) {
	check, err := xknownhosts.New(h.file)
	if err != nil {
		return nil, err
	}
	none := (*xknownhosts.KeyError)(nil)
	errors.As(check(h.host, h.addr, noKey{}), &none)
	if none == nil || !slices.ContainsFunc(none.Want, func(k xknownhosts.KnownKey) bool { return sameKey(k.Key, h.plain) }) {
		return nil, nil
	}
	text, err := os.ReadFile(h.file)
	if err != nil {
		return nil, err
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		names, _, _ := strings.Cut(strings.TrimSpace(lines.Text()), " ")
		ours := slices.ContainsFunc(none.Want, func(k xknownhosts.KnownKey) bool { return k.Line == n })
		if ours && strings.ContainsAny(names, "*?!@") {
			return nil, fmt.Errorf("line %d of %s is for more than this host", n, h.file)
		}
	}
	return none.Want, lines.Err()
}

// noKey is a key that no host has. A check of it lists the known keys.
type noKey struct{ ssh.PublicKey }

func (noKey) Type() string    { return "none" }
func (noKey) Marshal() []byte { return nil }

// unknown is the keys in an announcement that are new and of a kind that can be
// checked.
func (h *hosts) unknown(announced []byte, known []xknownhosts.KnownKey) (keys []ssh.PublicKey, err error) {
	const most = 32
	for n := 0; len(announced) > 0; n++ {
		var next struct {
			Key  []byte
			Rest []byte `ssh:"rest"`
		}
		if err := ssh.Unmarshal(announced, &next); err != nil || n == most {
			return nil, errors.New("the announcement is damaged or too long")
		}
		announced = next.Rest
		key, err := ssh.ParsePublicKey(next.Key)
		if err != nil || !slices.Contains(plainAlgorithms(), key.Type()) {
			continue // of a kind that cannot be used here
		}
		same := func(k xknownhosts.KnownKey) bool { return sameKey(k.Key, key) }
		revoked := (*xknownhosts.RevokedError)(nil)
		if !slices.ContainsFunc(known, same) && !errors.As(h.db.HostKeyCallback()(h.host, h.addr, key), &revoked) {
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// prove asks the server for a signature of each key, and checks them.
func prove(conn ssh.Conn, keys []ssh.PublicKey) error {
	var ask []byte
	for _, k := range keys {
		ask = append(ask, ssh.Marshal(struct{ Key []byte }{k.Marshal()})...)
	}
	ok, proofs, err := conn.SendRequest(hostKeysProven, true, ask)
	if err != nil || !ok {
		return errors.Join(errors.New("the server does not prove to have them"), err)
	}
	for _, k := range keys {
		var next struct {
			Signature []byte
			Rest      []byte `ssh:"rest"`
		}
		signature := &ssh.Signature{}
		if err := errors.Join(ssh.Unmarshal(proofs, &next), ssh.Unmarshal(next.Signature, signature)); err != nil {
			return err
		}
		proofs = next.Rest
		signed := ssh.Marshal(struct {
			Name         string
			Session, Key []byte
		}{hostKeysProven, conn.SessionID(), k.Marshal()})
		if signature.Format == ssh.KeyAlgoRSA { // with SHA-1
			return errors.New("a proof is too weak")
		}
		if err := k.Verify(signed, signature); err != nil {
			return err
		}
	}
	return nil
}
