package sshd

import (
	"net/netip"
	"testing"

	"shelf/vfs/access"
)

// Who asks is told what there is, and which files are on their way.
func TestStats(t *testing.T) {
	s := serve(t, nil)
	conn, client := s.dialSFTP(t)
	defer conn.Close()
	f, err := client.Create("file")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	got := s.Stats()
	if got.Connections != 1 || got.Startups != 0 || got.Channels != 1 || got.OpenFiles != 1 || got.Received != 1000 || got.Sent != 0 {
		t.Errorf("stats %+v", got)
	}
	all := s.Connections()
	if len(all) != 1 || len(all[0].Transfers) != 1 {
		t.Fatalf("connections %+v", all)
	}
	want := access.Transfer{Upload: true, Name: "file", Bytes: 1000, Size: -1, Started: all[0].Transfers[0].Started}
	if got := all[0].Transfers[0]; got != want {
		t.Errorf("it is %+v", got)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	if left := s.Connections()[0].Transfers; len(left) != 0 {
		t.Errorf("after CLOSE: %+v", left)
	}
}

// An operator forgets the penalties of a source, or of all in a network.
func TestForgive(t *testing.T) {
	g, _ := testGate(nil)
	s := &Server{gate: g}
	for _, from := range []string{"192.0.2.1:1", "192.0.2.2:1", "198.51.100.1:1"} {
		g.punish(from, 10, g.limits.Penalties.Min)
		if enters(g, from) {
			t.Fatalf("%s is let in", from)
		}
	}
	if all := s.Penalized(); len(all) != 3 || all[0].Source.String() != "192.0.2.1/32" || !all[0].Until.After(g.now()) {
		t.Errorf("turned away are %v", all)
	}
	if gone := s.Forgive(netip.MustParsePrefix("192.0.2.0/24")); len(gone) != 2 {
		t.Errorf("forgiven are %v", gone)
	}
	if !enters(g, "192.0.2.2:1") || enters(g, "198.51.100.1:1") {
		t.Error("the wrong ones were forgiven")
	}
}
