package library

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"shelf/keys"
	"shelf/vfs"
)

// Owners counts the files of a library by the account that has published each
// last. Where each account has a library of its own, these are its files. It may
// take long.
func (s *Set) Owners(ctx context.Context, name string) (map[string]vfs.UsageInfo, error) {
	s.mu.Lock()
	l, ok := s.settings.AllLibraries()[name]
	s.mu.Unlock()
	if !ok {
		return nil, errGone
	}
	if PerAccount(l.Path) {
		return ownersBelow(l.Path)
	}
	library, err := s.Now(name)
	if known, ok := vfs.As[vfs.Owners](library); ok {
		return known.Owners(ctx)
	}
	return nil, err
}

// accountsBelow are the accounts for which a path with %u has, or may have, a folder.
func accountsBelow(path string) (accounts []string, err error) {
	prefix := Prefix(path)
	below, err := filepath.Rel(prefix, path)
	if err != nil {
		return nil, err
	}
	element, _, _ := strings.Cut(below, "/")
	before, after, _ := strings.Cut(element, userToken)
	entries, err := os.ReadDir(prefix)
	for _, entry := range entries {
		rest, starts := strings.CutPrefix(entry.Name(), before)
		account, ends := strings.CutSuffix(rest, after)
		if starts && ends && entry.IsDir() && keys.CheckName(account) == nil {
			accounts = append(accounts, account)
		}
	}
	return accounts, err
}

// ownersBelow counts what is in the folders that a path with %u stands for.
func ownersBelow(path string) (map[string]vfs.UsageInfo, error) {
	accounts, err := accountsBelow(path)
	all := make(map[string]vfs.UsageInfo)
	for _, account := range accounts {
		held, failed := countFiles(keys.ExpandUser(path, account))
		if errors.Is(failed, fs.ErrNotExist) {
			continue
		}
		all[account], err = held, errors.Join(err, failed)
	}
	return all, err
}

func countFiles(folder string) (held vfs.UsageInfo, err error) {
	entries, err := os.ReadDir(folder)
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && info.Mode().IsRegular() && vfs.CheckName(entry.Name()) == nil {
			held.Files++
			held.Bytes += max(info.Size(), blockCost)
		}
	}
	return held, err
}

// blockCost is what the smallest file counts, in bytes, as for a quota.
const blockCost = 4 << 10
