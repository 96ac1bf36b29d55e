package credentials

import "testing"

func TestWeakness(t *testing.T) {
	for text, weak := range map[string]bool{
		"": true, "short": true, "Password123": true, "1234567890": true, "password1!": true, "aaaaaaaaaaaa": true, "1q2w3e4r5t": true,
		"P@ssw0rd2024": true, "Qwertyuiop1": true, "Sommer-2024-Regen": false, "correct horse battery staple": false, "x7Kq!mpl0Zw": false,
	} {
		if got := weakness(text); (got != "") != weak {
			t.Errorf("%q: %q", text, got)
		}
	}
}
