package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/audit"
	"shelf/cmd/shelfd/config"
	"shelf/cmd/shelfd/logging"
	"shelf/keys"
	"shelf/vfs"
	"shelf/vfs/access"
)

// explanation is what shelfd explain is asked.
type explanation struct {
	account, op, name, target string
	from, key                 string
	s                         config.Settings
	out                       io.Writer
	refused                   bool
}

func explainCommand() *cobra.Command {
	var x explanation
	var cert string
	c := &cobra.Command{
		Use:   "explain ACCOUNT [OPERATION [NAME [NEW NAME]]] | explain CONNECTION",
		Short: "Explain step by step what would be decided, or what was",
		Long: "Explain whether an account may log in and do something now, and which line of which\n" +
			"file decides each step. Operations: " + strings.Join(operations(), ", ") + ".\n" +
			"Or show what happened on a connection, from the audit log. Nothing is changed, and\n" +
			"a server that runs is not disturbed. Exits with status 1 if the answer is no.",
		Example: "  shelfd explain ada put report.pdf --from 192.0.2.7 --key ada.pub --config shelfd.toml\n" +
			"  shelfd explain YQ3MUDMH --config shelfd.toml",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) < 1 || len(args) > 4 || len(args) > 1 && !slices.Contains(operations(), args[1]) {
				return arguments.Mistake{Err: fmt.Errorf("%s takes an account and what it does: %s", c.CommandPath(), strings.Join(operations(), ", ")), Command: c}
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) (err error) {
			if x.s, err = config.Load(c.Flags()); err != nil {
				return err
			}
			x.out, x.key = c.OutOrStdout(), cmp.Or(cert, x.key)
			for i, to := range []*string{&x.account, &x.op, &x.name, &x.target} {
				if i < len(args) {
					*to = args[i]
				}
			}
			return x.run(c.ErrOrStderr())
		},
	}
	config.AddFlags(c.Flags())
	c.Flags().StringVar(&x.from, "from", "127.0.0.1", "the `address` that the client has")
	c.Flags().StringVar(&x.key, "key", "", "`file` of the public key that it logs in with")
	c.Flags().StringVar(&cert, "cert", "", "`file` of the certificate that it logs in with instead")
	return c
}

// operations are what can be explained, by their names in events.
func operations() []string {
	return []string{"list", "get", "put", "digest", "receipt", "rename", "remove", "setstat", "versions", "restore"}
}

// connection is how the id of one looks.
var connection = regexp.MustCompile(`^[A-Z2-7]{8}$`)

func (x *explanation) run(notes io.Writer) error {
	if connection.MatchString(x.account) && x.op == "" {
		return x.past(notes)
	}
	log := logging.New(notes, config.LogFormat{}, nil)
	all, wrong, err := (&accounts{log: log}).build(x.s)
	if err := errors.Join(err, wrong[x.account]); err != nil {
		return err
	}
	attempt, err := x.attempt()
	if err != nil {
		return err
	}
	t := tabwriter.NewWriter(x.out, 0, 0, 2, ' ', 0)
	steps, ok := all.Explain(attempt)
	for _, f := range steps {
		x.tell(t, f)
	}
	if ok && x.op != "" {
		x.explainFiles(t)
	}
	t.Flush()
	return x.verdict(ok && !x.refused)
}

func (x *explanation) verdict(ok bool) error {
	what := "log in"
	if x.op != "" {
		what = strings.TrimSpace("log in and " + x.op + " " + vfs.Escape(x.name))
	}
	if !ok {
		return fmt.Errorf("%s may not %s", x.account, what)
	}
	_, err := fmt.Fprintf(x.out, "%s may %s.\n", x.account, what)
	return err
}

// past shows what happened on a connection.
func (x *explanation) past(notes io.Writer) error {
	if x.s.AuditLog == "" {
		return errors.New("there is no audit_log that could tell what happened on a connection")
	}
	return audit.Show(audit.Files(x.s.AuditLog), audit.Query{Conn: x.account}, x.out, notes)
}

// attempt reads the key and the address.
func (x *explanation) attempt() (keys.Attempt, error) {
	address, err := netip.ParseAddr(x.from)
	if err != nil {
		return keys.Attempt{}, fmt.Errorf("--from: %q is no address", x.from)
	}
	a := keys.Attempt{Account: x.account, From: net.TCPAddrFromAddrPort(netip.AddrPortFrom(address, 0))}
	if x.key == "" {
		return a, nil
	}
	text, err := os.ReadFile(x.key)
	if err != nil {
		return a, err
	}
	if a.Key, _, _, _, err = ssh.ParseAuthorizedKey(text); err != nil {
		return a, fmt.Errorf("%s: this is no public key or certificate; name the .pub file", x.key)
	}
	return a, nil
}

// tell prints a step, with the line that decides.
func (x *explanation) tell(w io.Writer, f keys.Finding) {
	if !f.Good {
		x.refused = true
	}
	fmt.Fprintf(w, "%s\t%s\t%s\n", map[bool]string{true: "yes", false: "NO"}[f.Good], vfs.Escape(f.What), cmp.Or(f.Where, x.where(f.Setting)))
}

// where is the line of a setting, of the account if it is one of those.
func (x *explanation) where(setting string) string {
	if _, ok := x.s.Accounts[x.account]; ok && setting != "accounts" {
		if where := x.s.Where("accounts." + x.account + "." + setting); where != "" {
			return strings.TrimSuffix(where, ": ")
		}
	}
	if setting == "" {
		return ""
	}
	return cmp.Or(strings.TrimSuffix(x.s.Where(setting), ": "), "by default")
}

// explainFiles tells what the account may do with a file.
func (x *explanation) explainFiles(w io.Writer) {
	table, tabled := x.s.AllAccounts()[x.account]
	serves, prefix := x.s.Serves(table), "accounts."+x.account+"."
	if !tabled {
		serves, prefix = x.s.ServesFiles(), "file_accounts."
	}
	say := func(good bool, setting, format string, args ...any) {
		where := strings.TrimSuffix(x.s.Where(setting), ": ")
		x.tell(w, keys.Finding{Good: good, What: fmt.Sprintf(format, args...), Where: cmp.Or(where, "by default")})
	}
	setting, one, ok := x.folder(serves)
	if !ok {
		say(false, prefix+"libraries", "%q is in none of its libraries, which are %s", x.name, strings.Join(slices.Sorted(maps.Keys(serves.Libraries)), ", "))
		return
	}
	at, ok := x.s.AllLibraries()[one.Library]
	if !ok {
		say(false, prefix+setting, "it has no library")
		return
	}
	path := keys.ExpandUser(at.Where(), x.account)
	say(true, prefix+setting, "its library is %s, in %s", one.Library, path)
	if setting == "library" {
		setting = "permissions"
	}
	x.explainPolicy(permissions(one.Permissions), path, func(good bool, format string, args ...any) {
		say(good, prefix+setting, format, args...)
	})
	if hold := vfs.Hold(*at.Hold); x.changes(path) && hold.Counts(time.Now()) {
		setting := "libraries." + one.Library + ".hold"
		if x.s.Libraries[one.Library].Hold == nil {
			setting = "hold"
		}
		say(false, setting, "%v", hold.Refusal())
	}
	x.explainNames(table, at, prefix, one.Library, say)
	if limit := config.First(table.MaxFileSize, at.MaxFileSize).Bytes; x.op == "put" && limit > 0 {
		setting := "max_file_size"
		if table.MaxFileSize != nil {
			setting = prefix + setting
		}
		say(true, setting, "of up to %d bytes", limit)
	}
}

// explainNames tells whether a file may get the name, and who judges its content.
func (x *explanation) explainNames(a config.Account, l config.Library, prefix, library string, say func(good bool, setting, format string, args ...any)) {
	name := map[string]string{"put": x.name, "rename": x.target}[x.op]
	if name == "" {
		return
	}
	for _, of := range []struct {
		within           string
		allowed, refused []string
	}{{"libraries." + library + ".", l.AllowedNames, l.RefusedNames}, {prefix, a.AllowedNames, a.RefusedNames}} {
		for setting, rules := range map[string]access.Names{"allowed_names": {Allowed: of.allowed}, "refused_names": {Refused: of.refused}} {
			if err := rules.Check(name); err != nil {
				say(false, of.within+setting, "%v", err)
			}
		}
	}
	if x.op == "put" && l.Gate.IsSet() {
		say(true, "libraries."+library+".gate", "what is in it is judged by the gate")
	}
}

// folder finds the library that the name is in, and the setting that says so. If
// there are several, it takes the folder off the names.
func (x *explanation) folder(serves config.Serves) (setting string, one config.Served, ok bool) {
	if one, ok := serves.Libraries[""]; ok {
		return "library", one, true
	}
	folder, name, _ := strings.Cut(strings.TrimPrefix(x.name, "/"), "/")
	one, ok = serves.Libraries[folder]
	x.name, x.target = name, strings.TrimPrefix(strings.TrimPrefix(x.target, "/"), folder+"/")
	return "libraries." + folder, one, ok
}

// explainPolicy tells which permissions it takes.
func (x *explanation) explainPolicy(held vfs.Permissions, folder string, say func(good bool, format string, args ...any)) {
	what, subject := x.op, x.name
	changed := subject // the name that is put or renamed to
	if x.op == "rename" {
		changed = x.target
	}
	if changes := x.op == "put" || x.op == "rename"; changes && vfs.CheckName(changed) != nil && changed != "" {
		say(false, "%v", vfs.CheckName(changed))
	}
	exists, known := hasFile(folder, changed)
	if !known && changed != "" {
		say(true, "it cannot be told whether there is %s", changed)
	}
	rule, _ := access.RuleOf(what, exists)
	x.explainRule(rule, held, say, "%s takes %s", what, strings.Join(rule.Needs, " or "))
	if x.op == "rename" && exists {
		x.explainRule(access.Replacing(), held, say, "there is %s already; to replace it takes %s", changed, strings.Join(access.Replacing().Needs, " or "))
	}
	if slices.Contains([]string{"get", "digest", "rename", "remove", "setstat"}, x.op) && x.name != "" {
		if there, known := hasFile(folder, x.name); known && !there {
			say(false, "there is no file %s", x.name)
		}
	}
}

// changes tells whether it would change or remove what a library in a folder has.
func (x *explanation) changes(folder string) bool {
	exists, known := hasFile(folder, x.name)
	rule, _ := access.RuleOf(x.op, exists || !known)
	return rule.Changes
}

func (x *explanation) explainRule(r access.Rule, held vfs.Permissions, say func(bool, string, ...any), format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	switch {
	case r.Allows(held):
		say(true, "%s, and it has that", text)
	case len(r.Excuses) > 0:
		say(false, "%s, or that it is %s: %s", text, strings.Join(slices.Compact(r.Excuses), " or "), r.Refusal)
	default:
		say(false, "%s: %s", text, r.Refusal)
	}
}

// hasFile tells whether a library in a folder has a file; known is whether that can
// be told.
func hasFile(folder, name string) (has, known bool) {
	if vfs.CheckName(name) != nil {
		return false, true
	}
	info, err := os.Lstat(filepath.Join(folder, name))
	return err == nil && info.Mode().IsRegular(), err == nil || errors.Is(err, fs.ErrNotExist)
}
