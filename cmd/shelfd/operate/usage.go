package operate

import (
	"io"

	"github.com/spf13/cobra"

	"shelf/cmd/shelfd/admin"
	"shelf/cmd/shelfd/arguments"
)

func usageCommand() *cobra.Command {
	return asking(&cobra.Command{
		Use:   "usage",
		Short: "Count what the libraries hold",
		Long: "Count the bytes and files of each library, uploads under way and partials included.\n" +
			"A small file counts as much as a block of 4 KiB, as for the quota.",
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
				}
			})
		})
	})
}
