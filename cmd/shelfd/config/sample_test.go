package config

import (
	"os"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

// The sample is a configuration file as it is, and also when all that is
// commented out in it counts; and it leaves no setting out.
func TestSample(t *testing.T) {
	text, err := os.ReadFile("../../../contrib/shelfd.toml")
	if err != nil {
		t.Fatal(err)
	}
	full := regexp.MustCompile(`(?m)^#([a-z_0-9]+ = |\[)`).ReplaceAll(text, []byte("$1"))
	var s Settings
	base := Defaults()
	if err := s.parse("sample", text, &base); err != nil || !reflect.DeepEqual(s, base) {
		t.Errorf("the sample as it is changes the defaults, or has a mistake: %v", err)
	}
	if err := s.parse("sample", full, &base); err != nil {
		t.Fatal(err)
	}
	if len(s.Accounts) != 2 || len(s.Libraries) != 3 || len(s.Deliver) != 2 {
		t.Errorf("got %+v", s)
	}
	s.Library, s.State, s.User, s.AuthorizedKeysFile = "", "", "", ""
	s.AuditLog, s.TrustedUserCAKeys, s.RevokedKeys, s.ExemptProbes, s.ProxyProtocol = "", "", "", nil, nil
	s.Spool = ""
	s.AdminSocket, s.AdminListen, s.AdminHosts = "", "", nil
	s.Libraries, s.LibraryRoots, s.Accounts, s.FileAccounts, s.Listen = nil, nil, nil, FileAccounts{}, base.Listen
	s.DeliverListen, s.Deliver = "", nil
	if !reflect.DeepEqual(s, base) {
		t.Errorf("what the sample shows as the defaults:\n%+v\nThe defaults:\n%+v", s, base)
	}
	for _, setting := range All() {
		name := setting.Name[strings.LastIndexByte(setting.Name, '.')+1:]
		if !regexp.MustCompile(`(?m)^#` + name + ` = `).Match(text) {
			t.Errorf("the sample does not have %s", setting.Name)
		}
	}
}
