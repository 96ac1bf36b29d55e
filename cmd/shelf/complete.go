package main

import (
	"context"
	"path"
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
	switch takes := after(before); {
	case strings.HasPrefix(found.Typed, "-"):
		found.Words = ui.StartingWith(cmd.flagNames(), found.Typed)
	case takes == commandNames:
		found.Words = ui.StartingWith(allCommands(), found.Typed)
	case takes == localFiles, takes == localFolders:
		found.Words = ui.LocalPaths(found.Typed, takes == localFolders)
	case takes == remoteNames, takes == remoteFolders:
		found.Words = ui.StartingWith(c.remotePaths(found.Typed, takes == remoteFolders), found.Typed)
	}
	return found
}

// allCommands is the names of all commands.
func allCommands() (all []string) {
	for _, c := range commands() {
		all = append(all, c.name)
	}
	return all
}

// remotePaths is the names in the folder of the server that is typed, without those
// that could not be typed. A folder ends in a slash.
func (c *completer) remotePaths(start string, foldersOnly bool) (all []string) {
	folder, _ := path.Split(start)
	for _, e := range c.files(folder) {
		name := typed(folder + e.Name)
		switch {
		case e.Hidden() || name != ui.Printable(name):
		case e.Directory():
			all = append(all, name+"/")
		case !foldersOnly && e.Regular():
			all = append(all, name)
		}
	}
	return all
}

// files is what is in a folder of the server. The server is not asked for long:
// somebody waits at the keyboard.
func (c *completer) files(folder string) []sftp.Entry {
	at, files, ok := c.server.Listed()
	if ok && at == c.server.Path(folder) {
		return files
	}
	if c.unlisted || c.server.Lost() {
		return nil
	}
	const patience = 5 * time.Second
	ctx, stop := context.WithTimeout(c.ctx, patience)
	defer stop()
	files, err := c.server.List(ctx, folder)
	c.unlisted = err != nil
	return files
}
