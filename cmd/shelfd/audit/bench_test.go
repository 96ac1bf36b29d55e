package audit_test

import (
	"errors"
	"path/filepath"
	"testing"

	"shelf/cmd/shelfd/audit"
	"shelf/sshd"
)

func BenchmarkReport(b *testing.B) {
	for name, e := range map[string]sshd.Event{"refused": {
		Op: "get", Conn: "YQ3MUDMH", Account: "ada", Method: "publickey", KeyFingerprint: "SHA256:+65tjbuzaHvZUCuwLPdhPiPkQ2hu6R4JVCsGmVj5Le0",
		Source: "127.0.0.1:50350", ClientVersion: "SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u6", Name: "nothing", Library: "in", Err: errors.New("no such file"),
	}} {
		b.Run(name, func(b *testing.B) {
			l, err := audit.Open(audit.Options{Path: filepath.Join(b.TempDir(), "audit"), Host: "here"})
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			b.ReportAllocs()
			for b.Loop() {
				l.Report(e)
			}
		})
	}
}
