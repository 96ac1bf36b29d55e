package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"time"

	"golang.org/x/crypto/ssh"

	"shelf/keys/sshsig"
	"shelf/vfs"
)

// Each line has the SHA-256 of the line before it, so no line can be changed, taken
// out or put in without changing all that follow. A checkpoint is a line that is
// signed with the host key: what it is signed with, only the server has.

// chain is where the log has got to.
type chain struct {
	prev   string      // hash of the last line, in hex; "" of none
	signer ssh.Signer  // nil signs nothing
	last   uint64      // the number of the last checkpoint
	timer  *time.Timer // until the next checkpoint; nil if all lines are signed
}

// namespace is what checkpoints are signed for.
const namespace = "audit@shelf"

// interval is how long a line waits for a checkpoint.
const interval = time.Minute

// hashOf is the hash of a line, without its newline.
func hashOf(line []byte) string {
	sum := sha256.Sum256(line)
	return hex.EncodeToString(sum[:])
}

// SetSigner sets the key that checkpoints are signed with. What was written before
// is signed with the one before.
func (l *Log) SetSigner(key ssh.Signer) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.checkpoint()
	l.chain.signer = key
}

// due sees to it that the line just written is signed soon. mu is held.
func (c *chain) due(l *Log) {
	if c.signer == nil || c.timer != nil {
		return
	}
	c.timer = time.AfterFunc(interval, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if c.timer != nil { // else the log is closed
			l.checkpoint()
		}
	})
}

func (c *chain) stop() {
	if c.timer != nil {
		c.timer.Stop()
		c.timer = nil
	}
}

// checkpoint writes one, if there is something to sign. If it cannot be written,
// the next line sees to the next. mu is held.
func (l *Log) checkpoint() {
	l.chain.stop()
	if l.chain.signer == nil || l.seq == l.chain.last {
		return
	}
	line := Line{Op: OpCheckpoint, Result: vfs.ResultOK, Key: ssh.FingerprintSHA256(l.chain.signer.PublicKey())}
	l.stamp(&line)
	message := bytes.TrimSuffix(line.encode(), []byte("\n"))
	signature, err := sshsig.Sign(l.chain.signer, namespace, message)
	if err == nil {
		line.Sig = base64.StdEncoding.EncodeToString(signature)
		err = l.append(line.Seq, line.encode())
	}
	if err != nil {
		l.o.Log.Error("a checkpoint of the audit log cannot be written", "reason", err)
		return
	}
	l.chain.last = line.Seq
}

// signed takes a checkpoint apart: the message, and its signature.
func signed(text []byte) (message, signature []byte, ok bool) {
	i := bytes.LastIndex(text, []byte(`,"sig":"`))
	if i < 0 || !bytes.HasSuffix(text, []byte(`"}`)) {
		return nil, nil, false
	}
	signature, err := base64.StdEncoding.DecodeString(string(text[i+len(`,"sig":"`) : len(text)-2]))
	return append(bytes.Clone(text[:i]), '}'), signature, err == nil
}
