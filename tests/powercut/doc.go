// Package powercut is a file system in memory that knows what a power cut
// would leave of it. It is mounted by FUSE, so that a program under test uses
// it as any other, and it judges nothing.
//
// The way in is [Mount]. [Disk.Cut] takes down what is on the disk for certain
// and what only may be; [Cut.Draw] draws one of the disks that could be found
// afterwards, and [Image.Write] makes a directory of it.
//
//	disk.go        a mounted file system, its options
//	node.go        files and directories, and their changes since the last sync
//	operations.go  what the kernel asks
//	cut.go         a moment, and the disks that may be found after it
//	image.go       one such disk as a directory
package powercut

// A Model says what a disk may have lost of what was not synced.
type Model string

const (
	// Ordered is what journaling file systems do (ext4 with data=ordered, XFS):
	// changes of names, links, attributes and shorter lengths become durable
	// in the order in which they were made, and a sync of anything makes all
	// before it durable. Only data keep to no order: what was written and not
	// synced is there, or is not, or is zeros.
	Ordered Model = "ordered"

	// Strict is all that POSIX promises: fsync of a file is for its data, size,
	// mode, times and extended attributes, fsync of a directory for its entries, and neither for
	// anything else. Without, each single change may be there or not: an
	// unlink may be undone, of a link and an unlink only the unlink may be
	// there, of a rename from one directory to another only the one half, and
	// of a write each block by itself.
	//
	// One thing is not drawn: that a rename within one directory removes the
	// old entry and does not make the new one. POSIX does not say so of
	// crashes, but no file system is known that does it, and no program could
	// rename anything if one did. That the new one is there and the old one
	// still too is drawn.
	Strict Model = "strict"
)

// Models are all models.
func Models() []Model { return []Model{Ordered, Strict} }
