package tests

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
)

// version describes itself: who reads a file can tell which upload it is, and
// that all of it and nothing else is there.
//
//	uint32 number, uint32 size, the size's worth of random bytes, SHA-256 of it all
type version struct {
	number uint32
	size   uint32 // bytes of the middle part
}

func (v version) bytes() []byte {
	b := binary.BigEndian.AppendUint32(nil, v.number)
	b = binary.BigEndian.AppendUint32(b, v.size)
	b = append(b, content(uint64(v.number), int64(v.size))...)
	sum := sha256.Sum256(b)
	return append(b, sum[:]...)
}

// readVersion tells which version b is. It is an error if b is not one, whole.
func readVersion(b []byte) (version, error) {
	const head = 8
	if len(b) < head+sha256.Size {
		return version{}, fmt.Errorf("%d bytes are no version", len(b))
	}
	v := version{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])}
	body, sum := b[:len(b)-sha256.Size], b[len(b)-sha256.Size:]
	if len(body) != head+int(v.size) {
		return v, fmt.Errorf("version %d has %d bytes, of %d", v.number, len(body)-head, v.size)
	}
	if got := sha256.Sum256(body); !bytes.Equal(got[:], sum) {
		return v, errors.New("the digest is wrong: mixed or damaged")
	}
	return v, nil
}
