package tests

import (
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// TestClientIsDocumented finds each command, alias, flag and exit status that the
// help of shelf tells in the client guide, and no other command there.
func TestClientIsDocumented(t *testing.T) {
	text := readText(t, top+"/docs/client.md")
	documented := firstColumn(text, "command | does")
	help := shelfHelp(t, "--help")
	names := regexp.MustCompile(`(?m)^  ([a-z]+)(?: \S+)* {2,}`).FindAllStringSubmatch(between(help, "The commands are:", "Exit status:"), -1)
	for _, m := range names {
		if name := m[1]; !documented[name] {
			t.Errorf("the guide does not have the command %s", name)
		} else {
			help += shelfHelp(t, "help", name)
			delete(documented, name)
		}
	}
	for name := range documented {
		t.Errorf("the guide has the command %s, which there is not", name)
	}
	words := regexp.MustCompile(`(?m)^(?:Also: (.*)$| +(?:-., )?(--[a-z-]+))`)
	for _, m := range words.FindAllStringSubmatch(help, -1) {
		for _, word := range strings.Split(m[1]+m[2], ", ") {
			if word != "--help" && word != "--version" && !regexp.MustCompile("`"+regexp.QuoteMeta(word)+"[ `]").MatchString(text) {
				t.Errorf("the guide does not have %s", word)
			}
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^  (\d)  `).FindAllStringSubmatch(help, -1) {
		if !strings.Contains(text, "\n| "+m[1]+" |") {
			t.Errorf("the guide does not have the exit status %s", m[1])
		}
	}
}

func shelfHelp(t *testing.T, args ...string) string {
	t.Helper()
	out, err := exec.Command("shelf", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// between is the part of a text between two others.
func between(text, start, end string) string {
	_, text, _ = strings.Cut(text, start)
	text, _, _ = strings.Cut(text, end)
	return text
}
