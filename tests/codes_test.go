package tests

import (
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
	"golang.org/x/crypto/ssh"
)

// TestCodeAfterRestart uses a one-time code, starts the server again, and uses it
// again while it is still of this minute: it is refused.
func TestCodeAfterRestart(t *testing.T) {
	const secret, password = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP", "correct horse"
	toml := "library = \"library\"\n[accounts.ada]\npassword_hash = \"" + shelfdPasswd(t, password) + "\"\ntotp_secret = \"" + secret + "\"\n"
	dir := t.TempDir()
	var code string
	for _, want := range []bool{true, false} {
		s, err := startConfigured(dir, toml)
		if err != nil {
			t.Fatal(err)
		}
		if want {
			// A code of the next period is good now, and for a minute at least.
			if code, err = totp.GenerateCode(secret, time.Now().Add(30*time.Second)); err != nil {
				t.Fatal(err)
			}
		}
		c, err := s.loginFrom(here, ssh.KeyboardInteractive(func(_, _ string, questions []string, _ []bool) ([]string, error) {
			return []string{password, code}[:len(questions)], nil
		}))
		if err == nil {
			c.Close()
		}
		if (err == nil) != want {
			t.Errorf("the login succeeds: %v, want %v (%v)", err == nil, want, err)
		}
		if err := s.stop(); err != nil {
			t.Fatal(err)
		}
	}
}
