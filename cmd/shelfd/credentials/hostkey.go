package credentials

import (
	"fmt"
	"io"
	"slices"

	"github.com/spf13/cobra"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"shelf/cmd/shelfd/arguments"
	"shelf/cmd/shelfd/config"
	"shelf/keys"
)

// Hostkey is shelfd hostkey, with its commands.
func Hostkey() *cobra.Command {
	folder := func(c *cobra.Command) (string, error) {
		s, err := config.Load(c.Flags())
		if err != nil {
			return "", err
		}
		return s.State, becomeOwner(s.State, c.Flags().Changed("config") || c.Flags().Changed("state"))
	}
	var host string
	list := &cobra.Command{
		Use:   "hostkey",
		Short: "List, make and rotate the keys that clients know the server by",
		Long: "List the host keys. To change one so that no client warns: make the next key,\n" +
			"reload the server (SIGHUP), give clients time to log in and learn it, rotate, and\n" +
			"reload again. Root acts as the owner of the state folder, which root has to name.\n\n" +
			"With --known-hosts it prints the public keys, old ones too, for who checks receipts\n" +
			"and audit logs.",
		Example: "  shelfd hostkey --known-hosts files.example.com:2222 > known_hosts",
		Args:    arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			state, err := folder(c)
			if err != nil {
				return err
			}
			if host != "" {
				return printKnownHosts(state, host, c.OutOrStdout())
			}
			return listHostKeys(state, c.OutOrStdout())
		},
	}
	make := &cobra.Command{
		Use:   "new ed25519|rsa|ecdsa",
		Short: "Make a host key or, if there is one, the next",
		Args:  arguments.One("a type: ed25519, rsa or ecdsa"),
		RunE: func(c *cobra.Command, args []string) error {
			state, err := folder(c)
			if err != nil {
				return err
			}
			path, key, err := keys.MakeHostKey(state, args[0])
			if err == nil {
				fmt.Fprintf(c.OutOrStdout(), "%s %s\n", ssh.FingerprintSHA256(key), path)
			}
			return err
		},
	}
	rotate := &cobra.Command{
		Use:   "rotate",
		Short: "Use the next host keys; the old ones are kept as .old files",
		Args:  arguments.None,
		RunE: func(c *cobra.Command, _ []string) error {
			state, err := folder(c)
			if err != nil {
				return err
			}
			return rotateHostKeys(state, c.OutOrStdout())
		},
	}
	config.AddFlags(list.PersistentFlags(), "state")
	list.Flags().StringVar(&host, "known-hosts", "", "print the public keys as a file of known hosts, for the `host` that clients connect to")
	list.AddCommand(make, rotate)
	return list
}

// loadHostKeys loads those that there are, of which there must be one.
func loadHostKeys(state string) (keys.HostKeys, error) {
	all, err := keys.LoadHostKeys(state)
	if err == nil && len(all.Current) == 0 {
		err = fmt.Errorf("there is no host key in %s; the server makes one when it starts; to name another folder there are --config and --state", state)
	}
	return all, err
}

// printKnownHosts prints every key that the server has, will have or has had.
func printKnownHosts(state, host string, out io.Writer) error {
	all, err := loadHostKeys(state)
	if err != nil {
		return err
	}
	public, err := keys.OldHostKeys(state)
	for _, key := range slices.Concat(all.Current, all.Next) {
		public = append(public, key.PublicKey())
	}
	for _, key := range public {
		if _, certified := key.(*ssh.Certificate); !certified {
			fmt.Fprintln(out, knownhosts.Line([]string{host}, key))
		}
	}
	return err
}

func listHostKeys(state string, out io.Writer) error {
	all, err := loadHostKeys(state)
	if err != nil {
		return err
	}
	show := func(keys []ssh.Signer, use string) {
		for _, key := range keys {
			fmt.Fprintf(out, "%s %s %s\n", ssh.FingerprintSHA256(key.PublicKey()), key.PublicKey().Type(), use)
		}
	}
	show(all.Current, "in use")
	show(all.Next, "next")
	old, err := keys.OldHostKeys(state)
	for _, key := range old {
		fmt.Fprintf(out, "%s %s old\n", ssh.FingerprintSHA256(key), key.Type())
	}
	return err
}

func rotateHostKeys(state string, out io.Writer) error {
	changed, err := keys.RotateHostKeys(state)
	for _, path := range changed {
		fmt.Fprintf(out, "%s is new; reload the server\n", path)
	}
	if err == nil && len(changed) == 0 {
		err = fmt.Errorf("there is no next host key in %s; make one with: shelfd hostkey new ed25519", state)
	}
	return err
}
