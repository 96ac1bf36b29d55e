package wire

import (
	"encoding/binary"

	"golang.org/x/crypto/ssh"
)

// KexInit is SSH_MSG_KEXINIT (RFC 4253 section 7.1): the algorithms that a client
// supports, the preferred ones first.
type KexInit struct {
	Cookie                  [16]byte `sshtype:"20"`
	KexAlgos                []string
	ServerHostKeyAlgos      []string
	CiphersClientServer     []string
	CiphersServerClient     []string
	MACsClientServer        []string
	MACsServerClient        []string
	CompressionClientServer []string
	CompressionServerClient []string
	LanguagesClientServer   []string
	LanguagesServerClient   []string
	FirstKexFollows         bool
	Reserved                uint32
}

// msgKexInit is the number of the message.
const msgKexInit = 20

// maxPacket is the longest packet that every implementation must accept, in bytes
// (RFC 4253 section 6.1).
const maxPacket = 35000

// parseKexInit parses the first packet after a client's version line. It is not
// encrypted and has no MAC (RFC 4253 section 6):
//
//	uint32  packet_length   of the rest
//	byte    padding_length
//	byte[]  payload, padding
//
// It is whole if no more bytes are needed. If it is not a valid KEXINIT, init is
// nil; x/crypto reads the packet again and deals with it.
func parseKexInit(b []byte) (init *KexInit, whole bool) {
	if len(b) < 6 {
		return nil, false
	}
	length, padding := binary.BigEndian.Uint32(b), uint32(b[4])
	if length > maxPacket || length < padding+2 || b[5] != msgKexInit {
		return nil, true
	}
	if uint32(len(b)) < 4+length {
		return nil, false
	}
	init = new(KexInit)
	if ssh.Unmarshal(b[5:4+length-padding], init) != nil {
		return nil, true
	}
	return init, true
}
