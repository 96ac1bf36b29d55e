package keys

import (
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

// userToken stands for the account's name in a path, as in sshd_config(5).
const userToken = "%u"

// ExpandUser replaces %u in a path by an account's name, and %% by %.
func ExpandUser(path, name string) string {
	return strings.NewReplacer(userToken, name, "%%", "%").Replace(path)
}

// CheckFileName refuses the name of an account that a key file makes, if the file
// may not be meant to make one: what editors, package managers and people call a
// copy, or a file that they have put out of use.
func CheckFileName(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	odd := func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("._-", r)
	}
	if strings.ContainsFunc(name, odd) {
		return fmt.Errorf("%q has other characters than letters, digits and . _ -", name)
	}
	if end := strings.ToLower(path.Ext(name)); slices.Contains(copyEnds(), end) {
		return fmt.Errorf("%q ends in %s, as a copy or a file out of use", name, end)
	}
	return nil
}

// copyEnds are how copies of files end, and files that are put out of use.
func copyEnds() []string {
	return []string{
		".bak", ".backup", ".old", ".orig", ".save", ".saved", ".copy", ".disabled", ".off", ".swp", ".swo", ".tmp", ".temp", ".new", ".part",
		".rpmsave", ".rpmnew", ".rpmorig", ".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-tmp",
	}
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
	entries, _ := os.ReadDir(folder) // a folder that cannot be read has none
	for _, entry := range entries {
		if name, ok := nameIn(a.o.KeyFiles, entry.Name()); ok && a.dropFile(name) != nil {
			names = append(names, name)
		}
	}
	return names
}

// nameIn is the name of the account that an entry of the folder of key files
// stands for.
func nameIn(keyFiles, entry string) (name string, ok bool) {
	before, after := aroundName(keyFiles)
	rest, starts := strings.CutPrefix(entry, before)
	name, ends := strings.CutSuffix(rest, after)
	return name, starts && ends && name != ""
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

// KeyFilesNow are the files of [Options.KeyFiles] that are there, by the names that
// stand for %u.
func KeyFilesNow(keyFiles string) map[string]string {
	files := make(map[string]string)
	entries, _ := os.ReadDir(KeyFilesFolder(keyFiles)) // a folder that cannot be read has none
	for _, entry := range entries {
		name, ok := nameIn(keyFiles, entry.Name())
		if !ok {
			continue
		}
		file := ExpandUser(keyFiles, name)
		if _, err := os.Stat(file); err == nil {
			files[name] = file
		}
	}
	return files
}

// HoldsPrivateKeys tells whether a folder is one for private keys: it is called
// .ssh, or has one now.
func HoldsPrivateKeys(folder string) bool {
	if filepath.Base(folder) == ".ssh" {
		return true
	}
	entries, _ := os.ReadDir(folder) // one that cannot be read shows none
	return slices.ContainsFunc(entries, func(entry os.DirEntry) bool {
		return entry.Type().IsRegular() && beginsAsPrivateKey(filepath.Join(folder, entry.Name()))
	})
}

func beginsAsPrivateKey(file string) bool {
	f, err := os.OpenFile(file, os.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, 128)
	n, _ := io.ReadFull(f, head)
	return isPrivateKey(head[:n])
}
