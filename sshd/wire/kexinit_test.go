package wire

import (
	"encoding/binary"
	"slices"
	"testing"

	"golang.org/x/crypto/ssh"
)

func packet(payload []byte, padding int) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(1+len(payload)+padding))
	b = append(append(b, byte(padding)), payload...)
	return append(b, make([]byte, padding)...)
}

func TestParseKexInit(t *testing.T) {
	want := &KexInit{KexAlgos: []string{"a", "b"}, CiphersClientServer: []string{"aes128-gcm@openssh.com"}}
	good := packet(ssh.Marshal(want), 7)
	for n := range good {
		if _, whole := parseKexInit(good[:n]); whole {
			t.Fatalf("%d of %d bytes are taken for the whole", n, len(good))
		}
	}
	got, whole := parseKexInit(append(good, "and more"...))
	if !whole || got == nil || !slices.Equal(got.KexAlgos, want.KexAlgos) || !slices.Equal(got.CiphersClientServer, want.CiphersClientServer) {
		t.Errorf("got %+v, %v", got, whole)
	}
	for name, b := range map[string][]byte{
		"another message": packet([]byte{2, 0, 0, 0, 0}, 4),
		"nothing in it":   packet([]byte{msgKexInit}, 4),
		"too long":        {0, 1, 0, 0, 4, msgKexInit},
		"longest":         {0xff, 0xff, 0xff, 0xff, 4, msgKexInit},
		"all padding":     {0, 0, 0, 5, 200, msgKexInit, 0, 0, 0},
		"zero":            {0, 0, 0, 0, 0, msgKexInit},
	} {
		if got, whole := parseKexInit(b); got != nil || !whole {
			t.Errorf("%s: %+v, %v", name, got, whole)
		}
	}
}

func FuzzKexInit(f *testing.F) {
	f.Add(packet(ssh.Marshal(&KexInit{KexAlgos: []string{"a"}}), 4))
	f.Add([]byte{0, 0, 0, 5, 200, msgKexInit, 0, 0, 0})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, b []byte) {
		init, whole := parseKexInit(b)
		if init != nil && !whole {
			t.Error("a packet that is not whole was parsed")
		}
		if len(b) >= 4+maxPacket && !whole {
			t.Error("more is asked for than any packet can have")
		}
	})
}
