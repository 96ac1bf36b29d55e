package main

import (
	"context"
	"slices"

	"github.com/spf13/pflag"
)

// command is a command of the prompt: a row of the table.
type command struct {
	name    string
	aliases []string
	usage   string
	summary string
	more    string                       // for help NAME
	flags   func(*pflag.FlagSet, *flags) // nil if it has none
	takes   arguments                    // what Tab completes
	to      arguments                    // what follows the word "to"
	manner  manner
	run     func(ctx context.Context, s *session, o *flags, args []string) error
}

// arguments is what the arguments of a command name.
type arguments int

const (
	nothing arguments = iota
	remoteNames
	remoteFolders
	localFiles
	localFolders
	commandNames
)

// manner is what a command means for the connection, and a lost connection for it.
type manner int

const (
	once    manner = iota // it is not repeated by itself, since that could do harm
	resumes               // reconnect repeats it, and it goes on where it was cut
	offline               // it needs no connection
)

// commands is the table, in the order that help prints.
func commands() []command {
	return []command{
		{"list", []string{"ls", "dir"}, "list [PATTERN...]", "list the files, or those that match, such as '*.pdf'",
			"Size, time and name, sorted by name. On a server with folders: list FOLDER, or\n" +
				"list 'FOLDER/*.pdf'. A folder ends in a slash. Names that start with a dot, and\n" +
				"links, are not shown.", listFlags, remoteNames, nothing, once, list},
		{"cd", nil, "cd [FOLDER]", "go to another folder of the server",
			"Without a folder it goes back to the first one. Names are then those of that\n" +
				"folder. A library of Shelf has no folders; who has several libraries has each\n" +
				"as a folder. Other servers have folders, too.", jsonFlag, remoteFolders, nothing, once, cd},
		{"pwd", nil, "pwd", "show which folder of the server this is", "", jsonFlag, nothing, nothing, once, pwd},
		{"info", []string{"stat"}, "info NAME...", "show the size, time and SHA-256 of files",
			"If the server has no sha256sum the file is read, which takes as long as a get.", jsonFlag, remoteNames, nothing, once, info},
		{"get", []string{"download"}, "get NAME... [to DIR]", "download files",
			"Names may be patterns, as in get *.pdf to ~/Downloads. One file may get another\n" +
				"name: get NAME as NEW-NAME. To stdout, for a pipe, it goes with get NAME -. A\n" +
				"file gets its name when all of it is here. If a download is cut, its beginning\n" +
				"is kept in a hidden file in the same folder; the next get of that file checks\n" +
				"the beginning and goes on from there. A file that is here already is replaced\n" +
				"only with --force, or if you answer yes.", getFlags, remoteNames, localFolders, resumes, get},
		{"put", []string{"upload"}, "put FILE... [to DIR]", "upload files",
			"Names may be patterns, as in put ~/Documents/*.pdf. The folders before the name\n" +
				"of a file are left out; DIR is a folder of the server. One file may get another\n" +
				"name: put FILE as NAME; with put - as NAME it comes from stdin. A file that has\n" +
				"the name on the server is replaced when all of the new one is there. If an\n" +
				"upload is cut, the next put of that file checks the beginning on the server and\n" +
				"goes on from there. With --receipt a server of Shelf says in writing what it\n" +
				"got; shelf verify checks that later.", putFlags, localFiles, remoteFolders, resumes, put},
		{"rename", []string{"mv"}, "rename NAME NEW-NAME", "give a file another name",
			"It fails if a file has the new name already; --force replaces that file.", renameFlags, remoteNames, nothing, once, rename},
		{"remove", []string{"rm", "del", "delete"}, "remove NAME...", "delete files on the server, after asking",
			"Names may be patterns. The account must have the permission to delete.", removeFlags, remoteNames, nothing, once, remove},
		{"sync", nil, "sync DIR [to FOLDER]", "upload what is new or changed in a folder",
			"It goes one way, and deletes nothing. With --down it downloads. Files are\n" +
				"compared by size and time, or with --checksum by SHA-256. It says what it leaves\n" +
				"out: folders, names that start with a dot, and what is no file. If it has left\n" +
				"out folders it ends with an error, unless --top-only says that this is meant.", syncFlags, localFolders, remoteFolders, resumes, syncFolder},
		{"watch", nil, "watch DIR [to FOLDER]", "sync a folder, and upload new files until Ctrl-C",
			"A file is uploaded when it has not changed for a while and, as far as Linux can\n" +
				"tell, nobody has it open for writing. After an error it is tried again, unless\n" +
				"the server forbids the file.", watchFlags, localFolders, remoteFolders, once, watch},
		{"versions", nil, "versions NAME", "list the old versions of a file",
			"It may have been replaced or removed. The newest comes first: its version, which\n" +
				"says when that was (in UTC), its size, and when it was last modified. Only Shelf\n" +
				"keeps some, if its operator wants that, and for accounts that may restore.", jsonFlag, remoteNames, nothing, once, versions},
		{"restore", nil, "restore NAME VERSION", "have a file be an old version again",
			"What the file is now becomes an old version, so that nothing is lost. versions\n" +
				"lists them.", jsonFlag, remoteNames, nothing, once, restore},
		{"space", []string{"df"}, "space [FOLDER]", "show how much room the server has", "", jsonFlag, remoteFolders, nothing, once, space},
		{"reconnect", nil, "reconnect", "connect again, and go on with the transfer that was cut",
			"Other commands also connect again after a lost connection.", nil, nothing, nothing, offline, reconnect},
		{"help", []string{"?"}, "help [COMMAND]", "show the commands, or explain one", "", nil, commandNames, nothing, offline, showSomeHelp},
		{"quit", []string{"exit", "bye", "q"}, "quit", "end; so does Ctrl-D", "", nil, nothing, nothing, offline, quit},
	}
}

// after is what the next word of a line may be.
func after(words []string) arguments {
	c, err := find(words[0])
	if err != nil {
		return nothing
	}
	last := words[len(words)-1]
	switch {
	case len(words) > 2 && last == "to":
		return c.to
	case len(words) > 2 && last == "as" && c.to == localFolders:
		return localFiles
	case len(words) > 2 && last == "as" && c.to == remoteFolders:
		return remoteNames
	}
	return c.takes
}

// find looks a command up by its name or alias.
func find(word string) (command, error) {
	var names []string
	for _, c := range commands() {
		all := append([]string{c.name}, c.aliases...)
		if slices.Contains(all, word) {
			return c, nil
		}
		names = append(names, all...)
	}
	if why := missing(word); why != "" {
		return command{}, usageErrorf("there is no command %s: %s", word, why)
	}
	if near := nearest(word, names); near != "" {
		return command{}, usageErrorf("there is no command %s; did you mean %s?", word, near)
	}
	return command{}, usageErrorf("there is no command %s; help lists them", word)
}
