package operate

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
	"unicode"

	"shelf/cmd/shelfd/admin"
)

// Nothing that a client calls itself or its files steers a terminal.
func TestNamesCannotSteer(t *testing.T) {
	const evil = "a\x1b[2Jb\u202ec\nd"
	certificate := admin.Connection{ID: "AAAA", Account: evil, Client: evil, Method: evil, Key: "SHA256:x", Certificate: evil, Since: time.Now(),
		Transfers: []admin.Transfer{{Direction: admin.Upload, Name: evil, Since: time.Now()}}}
	password := certificate
	password.Key, password.Transfers = "", nil
	var out bytes.Buffer
	showConnections(&out, []admin.Connection{certificate, password}, nil)
	if text := out.String(); strings.ContainsAny(text, "\x1b\u202e") || strings.Count(text, "\n") != 4 || strings.Count(text, `a\x1b[2Jb\u202ec\nd`) != 7 {
		t.Errorf("printed is\n%q", text)
	}
}

// Nor does JSON, and it says the same.
func TestJSONCannotSteer(t *testing.T) {
	const evil = "a\x1b[2Jb\u202ec\u009bd\x7f\U000e0041é"
	var out bytes.Buffer
	if err := printJSON(&out, map[string]string{"name": evil}); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) || !strings.Contains(out.String(), "é") {
		t.Errorf("printed is %q", out.String())
	}
	var back map[string]string
	if err := json.Unmarshal(out.Bytes(), &back); err != nil || back["name"] != evil {
		t.Errorf("it reads as %q (%v)", back["name"], err)
	}
}

// A frame fits the screen, and says what does not.
func TestFrame(t *testing.T) {
	var all []admin.Connection
	for range 100 {
		all = append(all, admin.Connection{ID: "AAAA", Account: "ada", Client: strings.Repeat("x", 300)})
	}
	lines := strings.Split(string(frame(all, nil, time.Now(), 80, 24, true)), "\r\n")
	if len(lines) != 23 || !strings.Contains(lines[22], "and 81 lines more") {
		t.Errorf("%d lines, the last is %q", len(lines), lines[len(lines)-1])
	}
	for _, line := range lines[1:] {
		if len([]rune(line)) > 80 {
			t.Errorf("too long: %q", line)
		}
	}
}

// The rate is that since the last look, or from the beginning.
func TestRates(t *testing.T) {
	total := int64(200)
	c := admin.Connection{ID: "AAAA", Account: "ada", Transfers: []admin.Transfer{{Direction: admin.Download, Name: "f", Bytes: 100, Size: &total, Rate: 1}}}
	before, _ := ratesSince([]admin.Connection{c}, nil, 0)
	c.Transfers = []admin.Transfer{c.Transfers[0]}
	c.Transfers[0].Bytes = 150
	_, rates := ratesSince([]admin.Connection{c}, before, 2*time.Second)
	var out bytes.Buffer
	showConnections(&out, []admin.Connection{c}, rates)
	if !strings.Contains(out.String(), "150 B of 200 B (75%)") || !strings.Contains(out.String(), "25 B/s") {
		t.Errorf("printed is\n%s", out.String())
	}
}

func TestWords(t *testing.T) {
	for got, want := range map[string]string{
		size(0): "0 B", size(1023): "1023 B", size(1024): "1.0 KiB", size(5<<40 + 1): "5.0 TiB", size(1 << 62): "4.0 EiB", size(200 << 20): "200 MiB",
		lasting(-time.Second): "0s", lasting(61 * time.Second): "1m01s", lasting(25*time.Hour + 10*time.Minute): "1d01h", lasting(3*time.Hour + 4*time.Minute): "3h04m",
		plural(1, "file"): "1 file", plural(0, "file"): "0 files",
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
