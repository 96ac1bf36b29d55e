package credentials

import (
	"fmt"
	"io"

	"github.com/mdp/qrterminal/v3"
	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/arguments"
	"shelf/keys"
)

// TOTP is shelfd totp.
func TOTP() *cobra.Command {
	return &cobra.Command{
		Use:   "totp NAME",
		Short: "Make a secret for one-time codes",
		Long: "Make a secret and print it for totp_secret of the account NAME, with a QR code for\n" +
			"the app that shows the one-time codes (RFC 6238).",
		Args: arguments.One("the name of an account"),
		RunE: func(c *cobra.Command, args []string) error { return newTOTP(args[0], c.OutOrStdout()) },
	}
}

func newTOTP(name string, out io.Writer) error {
	if err := keys.CheckName(name); err != nil {
		return err
	}
	key, err := keys.GenerateTOTP("Shelf", name)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "totp_secret = %q\n", key.Secret())
	qrterminal.GenerateHalfBlock(key.URL(), qrterminal.M, out)
	return nil
}
