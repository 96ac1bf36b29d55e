package bucket

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// hiddenFolder is where all lies that is not a file of the library. Its name starts
// with a dot, so that no client can reach it. No hidden key lies below a file's: on
// stores over a POSIX file system a name is a file or a folder.
const hiddenFolder = ".shelf"

// Hidden keys, below the hidden folder:
//
//	a/NAME-...             mode and times of a file (attributes.go)
//	was/NAME-...           the same of an old version (versions.go)
//	partial/OWNER/NAME     record of a partial, by digests (record.go)
//	tail/OWNER/NAME/RANDOM its last bytes, less than a part
//	rename/ID              a rename under way (rename.go)
//	turn/ID                who may replace or remove a version (publish.go)
//	node/ID                a node is alive (node.go)
//	ledger                 what the library holds, where that is limited (limits.go)
//	sum/VERSION-ALGORITHM  the digest of a version (digests.go)
//	totp/ACCOUNT/PERIOD    a one-time code was used (codes.go)
//	sweeper, expiry        which node sweeps, or removes what has expired (sweep.go)
//	probe/RANDOM           what the probe tries with

// fileKey is the key of a file.
func (s *store) fileKey(name string) string { return s.prefix + name }

// hiddenKey is the key of something hidden.
func (s *store) hiddenKey(elements ...string) string {
	return s.prefix + hiddenFolder + "/" + strings.Join(elements, "/")
}

// turnKey is the key of the turn for a version of a file. Ids that were made up for what
// other programs have put there may be the same for two files.
func (s *store) turnKey(name, id string) string { return s.hiddenKey("turn", digest(name+"/"+id)) }

// newID is an id that no other version, node or rename has.
func newID() string { return rand.Text() }

// digest stands for a text in a key.
func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:16])
}

// copySource is a key as the header x-amz-copy-source has it. "+" is escaped, too:
// some stores read it as a space.
func (s *store) copySource(key, version string) string {
	elements := strings.Split(s.bucket+"/"+key, "/")
	for i, e := range elements {
		elements[i] = strings.ReplaceAll(url.PathEscape(e), "+", "%2B")
	}
	source := strings.Join(elements, "/")
	if version != "" {
		source += "?versionId=" + url.QueryEscape(version)
	}
	return source
}
