package main

import (
	"context"
	"slices"
	"strings"

	"github.com/spf13/pflag"
)

// command is one thing that the prompt takes.
type command struct {
	name    string
	aliases []string
	usage   string
	summary string
	more    string                         // for help NAME
	flags   func(*pflag.FlagSet, *choices) // nil if it has none
	takes   words                          // what Tab completes
	manner  manner
	run     func(s *shell, ctx context.Context, o *choices, args []string) error
}

// words are what a command's arguments name.
type words int

const (
	nothing words = iota
	remoteNames
	localFiles
	localFolders
	commandNames
)

// manner is how a command goes with the connection.
type manner int

const (
	once  manner = iota // it is never said again unasked: it may do harm the second time
	again               // reconnect says it again, when it was cut, and that goes on with it
	alone               // it needs no connection
)

// commands is the table, in the order that help prints.
func commands() []command {
	return []command{
		{"list", []string{"ls", "dir"}, "list [PATTERN...]", "list the files, or those that match, such as '*.pdf'",
			"Size, time and name, sorted by name.", listFlags, remoteNames, once, (*shell).list},
		{"info", []string{"stat"}, "info NAME...", "tell the size, time and SHA-256 of files",
			"Where a server has no sha256sum the file is read, which takes as long as a get.", jsonFlag, remoteNames, once, (*shell).info},
		{"get", []string{"download"}, "get NAME... [to DIR]", "download files",
			"Names may be patterns, as in get *.pdf to ~/Downloads. A file appears under its\n" +
				"name when all of it is here. What has come of one that was cut is kept in a\n" +
				"hidden file beside it; the next get of the same file checks that beginning and\n" +
				"goes on from there. A file that is here already is not replaced, unless you say\n" +
				"so.", getFlags, remoteNames, again, (*shell).get},
		{"put", []string{"upload"}, "put FILE...", "upload files",
			"Names may be patterns, as in put ~/Documents/*.pdf. A file is stored without the\n" +
				"folders before its name, in the place of one that has this name already, when\n" +
				"all of it is there. A put that was cut goes on when it is said again, after\n" +
				"checking what is there.", transferFlags, localFiles, again, (*shell).put},
		{"rename", []string{"mv"}, "rename NAME NEW-NAME", "give a file another name",
			"A file that has the new name already stays, unless --force is given.", renameFlags, remoteNames, once, (*shell).rename},
		{"remove", []string{"rm", "del", "delete"}, "remove NAME...", "delete files on the server, after asking",
			"Names may be patterns. The account must be allowed to delete.", removeFlags, remoteNames, once, (*shell).remove},
		{"sync", nil, "sync DIR", "upload what is new or changed in a folder",
			"One way, up: nothing is changed here, and nothing is deleted there. Files are\n" +
				"compared by size and time; with --checksum by SHA-256. What is in folders below,\n" +
				"and names that start with a dot, are left out.", syncFlags, localFolders, again, (*shell).sync},
		{"watch", nil, "watch DIR", "sync a folder, then what comes into it, until Ctrl-C",
			"A file is uploaded once it has not changed for a while and, as far as Linux can\n" +
				"tell, nobody has it open for writing. What fails is tried again, unless the\n" +
				"server forbids it.", watchFlags, localFolders, once, (*shell).watch},
		{"space", []string{"df"}, "space", "tell how much room the server has", "", jsonFlag, nothing, once, (*shell).space},
		{"reconnect", nil, "reconnect", "connect anew, and go on with the transfer that was cut",
			"Any other command connects anew as well, when the connection is lost.", nil, nothing, alone, (*shell).reconnect},
		{"help", []string{"?"}, "help [COMMAND]", "say what can be done", "", nil, commandNames, alone, (*shell).help},
		{"quit", []string{"exit", "bye", "q"}, "quit", "end; Ctrl-D does, too", "", nil, nothing, alone, (*shell).quit},
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
		return command{}, usageErrorf("there is no command %s; did you mean %s?", printable(word), near)
	}
	return command{}, usageErrorf("there is no command %s; help lists them", printable(word))
}

// nearest is the name that a word was meant to be, or "" if it is like none.
func nearest(word string, names []string) string {
	best, distance := "", 3 // further is no typing error
	for _, name := range names {
		near := editDistance(word, name)
		if strings.HasPrefix(name, word) && len(word) > 1 {
			near = 1
		}
		if near < distance && near < len(name) {
			best, distance = name, near
		}
	}
	return best
}

// editDistance is how many letters must be added, removed or replaced to make
// b of a (Levenshtein).
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range a {
		corner := row[0]
		row[0] = i + 1
		for j := range b {
			replace := corner
			if a[i] != b[j] {
				replace++
			}
			corner = row[j+1]
			row[j+1] = min(replace, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
