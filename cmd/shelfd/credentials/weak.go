package credentials

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// minPassword is how many characters a password has at least.
const minPassword = 10

// common are words that passwords are made of which are tried first. With nothing
// but digits and signs around them, they are no secret.
var common = []string{
	"", "password", "passw0rd", "p@ssw0rd", "p@ssword", "passwort", "motdepasse", "contrasena", "wachtwoord", "changeme", "letmein", "welcome",
	"willkommen", "administrator", "admin", "root", "secret", "default", "guest", "test", "testing", "temp", "qwerty", "qwertyuiop", "qwertz",
	"qwertzuiop", "azerty", "azertyuiop", "asdfghjkl", "asdfgh", "zxcvbnm", "qazwsx", "qazwsxedc", "qwe", "qweasd", "qweasdzxc", "qwaszx", "abc",
	"abcd", "abcdef", "abcdefgh", "abcdefghij", "iloveyou", "sunshine", "princess", "football", "baseball", "basketball", "superman", "batman",
	"dragon", "monkey", "master", "shadow", "michael", "jennifer", "charlie", "jordan", "hunter", "trustno", "starwars", "whatever", "freedom",
	"computer", "internet", "samsung", "google", "facebook", "liverpool", "chelsea", "summer", "winter", "spring", "autumn", "company", "server",
	"backup", "upload", "download", "transfer", "partner", "shelf", "sftp", "ftp", "user", "login", "manager", "oracle", "postgres", "ubuntu",
}

// weakness says what is wrong with a password, or "".
func weakness(text string) string {
	lower := strings.ToLower(text)
	word := strings.TrimFunc(lower, func(r rune) bool { return !unicode.IsLetter(r) })
	switch {
	case utf8.RuneCountInString(text) < minPassword:
		return fmt.Sprintf("is shorter than %d characters", minPassword)
	case distinct(lower) < 5:
		return "repeats a few characters"
	case slices.Contains(common, word), slices.Contains(common, strings.TrimFunc(lower, unicode.IsDigit)), keyboard(lower):
		return "is one of those that are tried first"
	}
	return ""
}

func distinct(text string) int {
	all := make(map[rune]bool)
	for _, r := range text {
		all[r] = true
	}
	return len(all)
}

// keyboard tells whether a text alternates through rows of a keyboard, as
// 1q2w3e4r5t does.
func keyboard(text string) bool {
	for _, row := range []string{"1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm", "q1w2e3r4t5y6u7i8o9p0", "zaq12wsxcde34rfvbgt5"} {
		if strings.HasPrefix(row, text) {
			return true
		}
	}
	return false
}
