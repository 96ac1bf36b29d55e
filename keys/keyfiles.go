package keys

import (
	"os"
	"path/filepath"
	"strings"
)

// userToken stands for the account's name in a path, as in sshd_config(5).
const userToken = "%u"

// ExpandUser replaces %u in a path by an account's name, and %% by %.
func ExpandUser(path, name string) string {
	return strings.NewReplacer(userToken, name, "%%", "%").Replace(path)
}

// KeyFilesFolder is the folder of [Options.KeyFiles] in which files, or folders
// with files, appear and disappear with their accounts.
func KeyFilesFolder(keyFiles string) string {
	before, _ := cutUser(keyFiles)
	return filepath.Dir(ExpandUser(before, "") + "x")
}

// keyFileNames are the names of the accounts that come from KeyFiles.
func (a *Accounts) keyFileNames() (names []string) {
	if a.o.KeyFiles == "" {
		return nil
	}
	folder := KeyFilesFolder(a.o.KeyFiles)
	before, after := aroundName(a.o.KeyFiles)
	entries, _ := os.ReadDir(folder) // a folder that cannot be read has none
	for _, entry := range entries {
		rest, starts := strings.CutPrefix(entry.Name(), before)
		name, ends := strings.CutSuffix(rest, after)
		if starts && ends && a.dropFile(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// cutUser cuts a path at its first %u. The %u of %%u is not one.
func cutUser(path string) (before, after string) {
	for i := 0; i+1 < len(path); i++ {
		switch path[i : i+2] {
		case userToken:
			return path[:i], path[i+2:]
		case "%%":
			i++
		}
	}
	return path, ""
}

// aroundName is the text before and after %u in its path element.
func aroundName(keyFiles string) (before, after string) {
	before, after = cutUser(keyFiles)
	after, _, _ = strings.Cut(after, "/")
	return ExpandUser(before[strings.LastIndexByte(before, '/')+1:], ""), ExpandUser(after, "")
}
