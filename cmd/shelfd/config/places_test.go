package config

import (
	"maps"
	"testing"
)

func TestPlaces(t *testing.T) {
	p := make(places)
	p.add("c", []byte("state = \"a\"\n\n[accounts.ana]\n  library = \"x\"\nfrom = [\n \"a\",\n]\n"+
		"[libraries]\na = { path = \"b\", quota = 1 }\n\"b.c\".path = \"d\"\n"))
	want := places{
		"state": "c:1:1", "accounts": "c:3:2", "accounts.ana": "c:3:2", "accounts.ana.library": "c:4:3", "accounts.ana.from": "c:5:1",
		"libraries": "c:8:2", "libraries.a": "c:9:1", "libraries.a.path": "c:9:7", "libraries.a.quota": "c:9:19",
		"libraries.b.c": "c:10:1", "libraries.b.c.path": "c:10:1",
	}
	if !maps.Equal(p, want) {
		t.Errorf("got %q, want %q", p, want)
	}
	p.forget("state")
	s := Settings{places: p}
	for setting, want := range map[string][2]string{
		"state":                {"", "--state"},
		"authorized_keys_file": {"", "--authorized-keys"},
		"revoked_keys":         {"", "revoked_keys"},
		"accounts.ana.library": {"c:4:3: ", "accounts.ana.library"},
		"accounts.ana.expires": {"c:3:2: ", "accounts.ana.expires"},
		"accounts.bob.expires": {"c:3:2: ", "accounts.bob.expires"},
	} {
		if got := [2]string{s.Where(setting), s.By(setting)}; got != want {
			t.Errorf("%s: got %q, want %q", setting, got, want)
		}
	}
}
