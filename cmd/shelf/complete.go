package main

import (
	"context"
	"strings"
	"time"

	"shelf/cmd/shelf/sftp"
	"shelf/cmd/shelf/ui"
)

// completer finds what Tab may make of a line.
type completer struct {
	*session
	ctx      context.Context
	unlisted bool // the server did not list its files, and is not asked again for this line
}

// complete finds what may stand in the place of the last word.
func (c *completer) complete(line string) ui.Completion {
	before, found := ui.Before(line)
	if len(before) == 0 {
		found.Words = ui.StartingWith(allCommands(), found.Typed)
		return found
	}
	cmd, err := find(before[0])
	if err != nil {
		return found
	}
	switch takes := cmd.takes; {
	case strings.HasPrefix(found.Typed, "-"):
		found.Words = ui.StartingWith(cmd.flagNames(), found.Typed)
	case takes == commandNames:
		found.Words = ui.StartingWith(allCommands(), found.Typed)
	case takes == localFiles, wantsFolder(before):
		found.Words = ui.LocalPaths(found.Typed, takes != localFiles)
	case takes == remoteNames:
		found.Words = ui.StartingWith(c.remoteNames(), found.Typed)
	}
	return found
}

// wantsFolder tells whether the word after these is a local folder.
func wantsFolder(before []string) bool {
	c, err := find(before[0])
	return err == nil && (c.takes == localFolders || before[len(before)-1] == "to")
}

// allCommands is the names of all commands.
func allCommands() (all []string) {
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

// remoteNames is the names that the server lists, without those that could not be
// typed.
func (c *completer) remoteNames() (all []string) {
	files, ok := c.server.Listed()
	if !ok && !c.unlisted && !c.server.Lost() {
		files = c.list()
	}
	for _, f := range files {
		if f.Name == ui.Printable(f.Name) {
			all = append(all, f.Name)
		}
	}
	return all
}

// list asks the server, but not for long: somebody waits at the keyboard.
func (c *completer) list() []sftp.Entry {
	const patience = 5 * time.Second
	ctx, stop := context.WithTimeout(c.ctx, patience)
	defer stop()
	files, err := c.server.Files(ctx)
	c.unlisted = err != nil
	return files
}
