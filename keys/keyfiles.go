package keys

import (
	"os"
	"path/filepath"
	"strings"
)

// userToken stands for an account's name in a path, as in sshd_config(5).
const userToken = "%u"

// ExpandUser puts an account's name into a path, for %u; %% is a percent sign.
func ExpandUser(path, name string) string {
	return strings.NewReplacer(userToken, name, "%%", "%").Replace(path)
}

// KeyFilesFolder is the folder in which files of [Options.KeyFiles], or folders
// of them, come and go with their accounts.
func KeyFilesFolder(keyFiles string) string {
	before, _ := cutUser(keyFiles)
	return filepath.Dir(ExpandUser(before, "") + "x")
}

// keyFileNames are the accounts that files of KeyFiles make.
func (a *Accounts) keyFileNames() (names []string) {
	if a.o.KeyFiles == "" {
		return nil
	}
	folder := KeyFilesFolder(a.o.KeyFiles)
	before, after := aroundName(a.o.KeyFiles)
	entries, _ := os.ReadDir(folder) // none of what cannot be listed
	for _, entry := range entries {
		rest, starts := strings.CutPrefix(entry.Name(), before)
		name, ends := strings.CutSuffix(rest, after)
		if starts && ends && a.dropFile(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// cutUser cuts a path at its first %u, which is not one in %%u.
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

// aroundName is what stands before and after an account's name in the element
// of a path that has it.
func aroundName(keyFiles string) (before, after string) {
	before, after = cutUser(keyFiles)
	after, _, _ = strings.Cut(after, "/")
	return ExpandUser(before[strings.LastIndexByte(before, '/')+1:], ""), ExpandUser(after, "")
}
