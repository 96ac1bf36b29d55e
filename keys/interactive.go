package keys

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/crypto/ssh"
)

// ErrUnanswered is a client that was asked, and went without an answer.
var ErrUnanswered = errors.New("the client gave no answer")

// prompts is what keyboard-interactive asks for (RFC 4256).
type prompts struct{ password, code bool }

// promptsFor says what to ask for. A client that has proven nothing yet is asked
// for the same whether the account exists or not, and whatever it has.
func (s step) promptsFor(who subject) prompts {
	if len(s.proven) == 0 {
		return s.accounts.first
	}
	return prompts{
		password: who.PasswordHash != "" && !slices.Contains(s.proven, password),
		code:     who.TOTPSecret != "",
	}
}

// interactive asks for the password and the one-time code that the account has.
func (s step) interactive(conn ssh.ConnMetadata, challenge ssh.KeyboardInteractiveChallenge) (*ssh.Permissions, error) {
	who, wrong := s.begin(conn.User(), interactive)
	asked := s.promptsFor(who)
	given, code, err := asked.ask(challenge)
	if err != nil {
		return nil, err
	}
	if asked.password && who.PasswordHash != "" || len(s.proven) == 0 {
		right, err := s.tryPassword(conn, who, []byte(given))
		if err != nil {
			return nil, err
		}
		if !right {
			wrong = errors.Join(wrong, fmt.Errorf("account %q: wrong password", conn.User()))
		}
	}
	if wrong != nil {
		return nil, wrong
	}
	if who.TOTPSecret != "" {
		if err := s.useCode(who.Account, code, conn.RemoteAddr()); err != nil {
			return nil, fmt.Errorf("account %q: %w", who.Name, err)
		}
	}
	return s.succeed(conn, who, interactive, Identity{})
}

// ask shows the prompts and returns the answers. Clients do not show what is typed.
func (p prompts) ask(challenge ssh.KeyboardInteractiveChallenge) (text, code string, err error) {
	var questions []string
	if p.password {
		questions = append(questions, "Password: ")
	}
	if p.code {
		questions = append(questions, "Verification code: ")
	}
	answers, err := challenge("", "", questions, make([]bool, len(questions)))
	if err != nil {
		return "", "", fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	if len(answers) != len(questions) {
		return "", "", errors.New("the client gave another number of answers")
	}
	if p.password {
		text, answers = answers[0], answers[1:]
	}
	if p.code {
		code = answers[0]
	}
	return text, code, nil
}
