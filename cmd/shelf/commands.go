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
	manner  manner
	run     func(ctx context.Context, s *session, o *flags, args []string) error
}

// arguments is what the arguments of a command name.
type arguments int

const (
	nothing arguments = iota
	remoteNames
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
			"Size, time and name, sorted by name.", listFlags, remoteNames, once, list},
		{"info", []string{"stat"}, "info NAME...", "show the size, time and SHA-256 of files",
			"If the server has no sha256sum the file is read, which takes as long as a get.", jsonFlag, remoteNames, once, info},
		{"get", []string{"download"}, "get NAME... [to DIR]", "download files",
			"Names may be patterns, as in get *.pdf to ~/Downloads. A file gets its name when\n" +
				"all of it is here. If a download is cut, its beginning is kept in a hidden file\n" +
				"in the same folder; the next get of that file checks the beginning and goes on\n" +
				"from there. A file that is here already is replaced only with --force, or if you\n" +
				"answer yes.", getFlags, remoteNames, resumes, get},
		{"put", []string{"upload"}, "put FILE...", "upload files",
			"Names may be patterns, as in put ~/Documents/*.pdf. The folders before the name\n" +
				"of a file are left out. A file that has the name on the server is replaced when\n" +
				"all of the new one is there. If an upload is cut, the next put of that file\n" +
				"checks the beginning on the server and goes on from there.", transferFlags, localFiles, resumes, put},
		{"rename", []string{"mv"}, "rename NAME NEW-NAME", "give a file another name",
			"It fails if a file has the new name already; --force replaces that file.", renameFlags, remoteNames, once, rename},
		{"remove", []string{"rm", "del", "delete"}, "remove NAME...", "delete files on the server, after asking",
			"Names may be patterns. The account must have the permission to delete.", removeFlags, remoteNames, once, remove},
		{"sync", nil, "sync DIR", "upload what is new or changed in a folder",
			"It only uploads: nothing is changed here, and nothing is deleted on the server.\n" +
				"Files are compared by size and time, or with --checksum by SHA-256. Folders, and\n" +
				"files whose names start with a dot, are left out.", syncFlags, localFolders, resumes, syncFolder},
		{"watch", nil, "watch DIR", "sync a folder, and upload new files until Ctrl-C",
			"A file is uploaded when it has not changed for a while and, as far as Linux can\n" +
				"tell, nobody has it open for writing. After an error it is tried again, unless\n" +
				"the server forbids the file.", watchFlags, localFolders, once, watch},
		{"space", []string{"df"}, "space", "show how much room the server has", "", jsonFlag, nothing, once, space},
		{"reconnect", nil, "reconnect", "connect again, and go on with the transfer that was cut",
			"Other commands also connect again after a lost connection.", nil, nothing, offline, reconnect},
		{"help", []string{"?"}, "help [COMMAND]", "show the commands, or explain one", "", nil, commandNames, offline, showSomeHelp},
		{"quit", []string{"exit", "bye", "q"}, "quit", "end; so does Ctrl-D", "", nil, nothing, offline, quit},
	}
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
	if near := nearest(word, names); near != "" {
		return command{}, usageErrorf("there is no command %s; did you mean %s?", word, near)
	}
	return command{}, usageErrorf("there is no command %s; help lists them", word)
}
