package main

import (
	"context"
	"fmt"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// version is what a release is called. Between two tags, the time of the commit
// orders the versions: packages of them can be installed one over the other.
type version struct {
	describe string    // what the programs print, as v1.2.0-5-g0ad8bba
	name     string    // as 1.2.0+git20261126092200.0ad8bba, or 1.2.0 at a tag
	apk      string    // the same for Alpine, whose versions have another form
	time     time.Time // of the commit; all files have it
}

// tagged is what git describes: the last tag, if there is one, how many commits
// came after it, the commit, and whether there are changes that are in none.
var tagged = regexp.MustCompile(`^(?:v([0-9]+\.[0-9]+\.[0-9]+)-([0-9]+)-g)?([0-9a-f]+)(-dirty)?$`)

func findVersion(ctx context.Context) (v version, err error) {
	git := func(args ...string) string {
		out, failed := output(exec.CommandContext(ctx, "git", args...))
		if failed != nil && err == nil {
			err = failed
		}
		return strings.TrimSpace(string(out))
	}
	v.describe = git("describe", "--tags", "--always", "--abbrev=12", "--dirty")
	long := git("describe", "--tags", "--always", "--abbrev=12", "--dirty", "--long", "--match", "v[0-9]*.[0-9]*.[0-9]*")
	seconds, _ := strconv.ParseInt(git("log", "-1", "--format=%ct"), 10, 64)
	if err != nil {
		return v, fmt.Errorf("a release is made from a git checkout: %w", err)
	}
	v.time = time.Unix(seconds, 0).UTC()
	v.name, v.apk, err = nameOf(long, v.time)
	return v, err
}

func nameOf(describe string, at time.Time) (name, apk string, err error) {
	m := tagged.FindStringSubmatch(describe)
	if m == nil {
		return "", "", fmt.Errorf("%q is no version", describe)
	}
	tag, after, commit, dirty := m[1], m[2], m[3], m[4] != ""
	if tag == "" {
		tag = "0.0.0"
	}
	if after == "0" && !dirty {
		return tag, tag, nil
	}
	when := at.Format("20060102150405")
	name = tag + "+git" + when + "." + commit
	if dirty {
		name += ".dirty"
	}
	return name, tag + "_git" + when, nil
}
