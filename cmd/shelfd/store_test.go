package main

import (
	"testing"
	"time"

	"shelf/vfs/local"
)

func TestStorage(t *testing.T) {
	s, err := load(t, `
durability = "none"
quota = "10GiB"
min_free_space = "1 GB"
max_file_size = "4GiB"
max_open_files = 12
partial_min_size = 4096
partial_max_age = "48h"
partials_per_account = 0
`)
	if err != nil {
		t.Fatal(err)
	}
	o := storeOptions(s, s.AllLibraries()["library"])
	if o.Durability != local.NoFsync || o.Quota != 10<<30 || o.MinFreeSpace != 1e9 || s.MaxFileSize.Bytes != 4<<30 ||
		s.MaxOpenFiles.N != 12 || *o.Partials != (local.PartialRules{MinSize: 4096, MaxAge: 48 * time.Hour}) {
		t.Errorf("got %+v", s)
	}
	s, err = load(t, `max_sessions = 9`)
	if err != nil {
		t.Fatal(err)
	}
	o = storeOptions(s, s.AllLibraries()["library"])
	if o.Durability != local.Fsync || o.Quota != 0 || o.MinFreeSpace != 0 || s.MaxFileSize.Bytes != 0 ||
		s.MaxOpenFiles.N != 256 || *o.Partials != local.DefaultPartialRules() {
		t.Errorf("by default %+v", s)
	}
}
