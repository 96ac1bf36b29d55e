// Package confine takes from the process what serving does not need, for good:
// after that no bug can read another file, run a program or connect to anywhere.
//
//	confine.go         Reach: what is left of the file system and the network
//	landlock_linux.go  Files: which files and ports can be reached, by Landlock
//	seccomp_linux.go   Calls: which system calls there are, by seccomp
//	confine_other.go   other systems have neither
package confine

// Reach is what the process can still reach: folders and files, and TCP ports.
type Reach struct {
	Changed  []string // folders that it changes
	Made     []string // the same, and it makes and removes folders there
	Appended []string // folders in which it writes to a file
	Rotated  []string // the same, and it renames and removes files there
	Read     []string // folders whose files it reads, whatever replaces them
	Listed   []string // folders, and those within, whose names it reads
	Files    []string // files that it reads
	Ports    []uint16 // TCP ports of others that it connects to
}
