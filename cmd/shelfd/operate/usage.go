package operate

import (
	"cmp"
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

func usageCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "usage",
		Short: "Count what the libraries hold",
		Long: "Count the bytes and files of each library, uploads under way and partials included,\n" +
			"and by the account that has published each file last. A small file counts as much\n" +
			"as a block of 4 KiB, as for the quota.",
		Args: arguments.None,
	}, func(c *call) error {
		var all []admin.Usage
		if err := c.get(c.Context(), "usage", &all); err != nil {
			return err
		}
		return c.show(all, func(out io.Writer) {
			table(out, "LIBRARY\tBYTES\tQUOTA\tFILES\tMAX FILES", func(line func(string, ...any)) {
				for _, u := range all {
					if u.Problem != "" {
						line("%s\t%s\t\t\t", u.Library, u.Problem)
						continue
					}
					line("%s\t%s\t%s\t%d\t%s", u.Library, size(u.Bytes), limit(u.Quota, "bytes"), u.Files, limit(u.MaxFiles, ""))
					for _, account := range slices.Sorted(maps.Keys(u.Accounts)) {
						held := u.Accounts[account]
						line("  %s\t%s\t\t%d\t", cmp.Or(account, "(nobody knows)"), size(held.Bytes), held.Files)
					}
				}
			})
		})
	})
}
