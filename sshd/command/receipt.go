package command

import (
	"errors"
	"strings"
)

// receipt prints the receipt of a file or, with --signature, the signature of that:
// each is a file for "ssh-keygen -Y verify" then.
func receipt(p *process) (status uint32) {
	path, signature, err := parseReceiptFlags(p.arguments)
	if err != nil {
		return p.fail(err)
	}
	r, err := p.Access.Receipt(path)
	if err != nil {
		p.complain(path, err)
		return exitFailure
	}
	out := r.Text
	if signature {
		out = r.Signature
	}
	if _, err := p.Channel.Write(out); err != nil {
		return exitFailure
	}
	return exitOK
}

func parseReceiptFlags(arguments []argument) (path string, signature bool, err error) {
	var names []string
	flags := true
	for _, a := range arguments {
		switch {
		case flags && a.text == "--":
			flags = false
		case flags && a.text == "--signature":
			signature = true
		case flags && strings.HasPrefix(a.text, "-"):
			return "", false, unknownFlag(a.text)
		default:
			names = append(names, a.text)
		}
	}
	if len(names) != 1 {
		return "", false, errors.New("name one file: receipt [--signature] NAME")
	}
	return names[0], signature, nil
}
