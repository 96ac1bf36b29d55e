package vfs

// Permissions is what an account may do in a library.
type Permissions struct {
	List      bool // list files, and stat any file
	Read      bool // read files, their digests, and stat any file
	Write     bool // upload under a name that does not exist
	Overwrite bool // replace, change or set attributes of a file that exists
	Rename    bool // rename; over a file it takes Overwrite as well
	Delete    bool // remove
	Restore   bool // see old versions, and publish one again
}

// DefaultPermissions is what an account may do when nothing else is said.
func DefaultPermissions() Permissions {
	return Permissions{List: true, Read: true, Write: true, Overwrite: true, Rename: true}
}
