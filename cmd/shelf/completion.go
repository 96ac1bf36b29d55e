package main

import (
	"strings"

	"github.com/spf13/cobra"

	"shelf/cmd/shelf/ui"
)

// completionCommand writes a script for a shell, which then completes command lines of
// shelf.
func completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:       "completion bash|zsh|fish",
		Short:     "Write the completion script for a shell",
		Long:      "Write the completion script for a shell. Load it in the shell, for example:\n\n  source <(shelf completion bash)",
		ValidArgs: []string{"bash", "zsh", "fish"},
		RunE: func(c *cobra.Command, args []string) error {
			out := c.OutOrStdout()
			switch strings.Join(args, " ") {
			case "bash":
				return c.Root().GenBashCompletionV2(out, true)
			case "zsh":
				return c.Root().GenZshCompletion(out)
			case "fish":
				return c.Root().GenFishCompletion(out, true)
			}
			return usageErrorf("which shell? shelf completion bash|zsh|fish")
		},
	}
}

// completeArgs completes the command, and files after a command that takes files. It
// completes no names on the server, since that would need a login.
func completeArgs(_ *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	switch {
	case len(args) == 0:
		return nil, cobra.ShellCompDirectiveNoFileComp
	case len(args) == 1:
		var all []string
		for _, c := range commands() {
			if strings.HasPrefix(c.name, typed) {
				all = append(all, c.name+"\t"+c.summary)
			}
		}
		return all, cobra.ShellCompDirectiveNoFileComp
	}
	c, err := find(args[1])
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	switch takes := after(args[1:]); {
	case takes == commandNames:
		return ui.StartingWith(allCommands(), typed), cobra.ShellCompDirectiveNoFileComp
	case strings.HasPrefix(typed, "-"):
		return ui.StartingWith(c.flagNames(), typed), cobra.ShellCompDirectiveNoFileComp
	case takes == localFiles:
		return nil, cobra.ShellCompDirectiveDefault
	case takes == localFolders:
		return nil, cobra.ShellCompDirectiveFilterDirs
	}
	return nil, cobra.ShellCompDirectiveNoFileComp
}
