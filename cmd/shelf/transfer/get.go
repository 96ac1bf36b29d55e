package transfer

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"shelf/cmd/shelf/sftp"
)

// Here is where downloads go: a folder, and the name for a single file, "" for its
// own.
type Here struct{ Folder, Name string }

// name is the name here of a file of the server.
func (h Here) name(there string) string { return cmp.Or(h.Name, tame(path.Base(there))) }

// tame is a name from a server that misleads nobody here: a program could take one
// that starts with - for flags, and bidi controls show it as another one.
func tame(name string) string {
	for _, r := range name {
		if unicode.Is(unicode.Bidi_Control, r) {
			name = strings.ReplaceAll(name, string(r), "_")
		}
	}
	if strings.HasPrefix(name, "-") {
		return "_" + name
	}
	return name
}

// Get downloads files. What is named is paths on the server.
func (m *Mover) Get(ctx context.Context, files []string, to Here) error {
	root, err := os.OpenRoot(to.Folder)
	if err != nil {
		return err
	}
	defer root.Close()
	g := &getting{Mover: m, root: root, parts: partsIn(root), replace: make(map[string]bool)}
	known := make([]error, len(files))
	given := make(map[string]string, len(files)) // files by the name that they get
	err = m.Persist(ctx, func() error {
		for i, file := range files { // before there are bars: it can ask
			known[i] = g.free(ctx, given, file, to.name(file))
			if errors.Is(known[i], sftp.ErrLost) {
				return known[i]
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	b := m.newBatch("get", len(files))
	for i, file := range files {
		p := b.add(file, known[i], func(ctx context.Context, p *progress) error { return g.one(ctx, b, p, file, to.name(file)) })
		p.as = to.name(file)
	}
	return b.run(ctx)
}

// getting is a get of many files into a folder.
type getting struct {
	*Mover
	root    *os.Root
	parts   []string        // that earlier downloads left
	replace map[string]bool // the files that may be replaced
}

// checkLocal refuses a name that is not plainly the name of a file in a folder. A
// name from a server must never choose where we write.
func checkLocal(name string) error {
	bad := func(r rune) bool {
		return r == '/' || r == '\\' && filepath.Separator == '\\' || unicode.IsControl(r)
	}
	if name == "" || name == "." || name == ".." || strings.ContainsFunc(name, bad) || len(name) > 255 {
		return errors.New("that cannot be the name of a file here")
	}
	return nil
}

// free makes sure that a file can get its name here.
func (g *getting) free(ctx context.Context, given map[string]string, file, name string) error {
	if other, taken := given[name]; taken && other != file {
		return fmt.Errorf("it would replace %s, which gets the same name", other)
	}
	given[name] = file
	return g.here(ctx, file, name)
}

// here decides about a local file that has the name. Questions are asked before the
// first transfer starts, once for each file.
func (g *getting) here(ctx context.Context, file, name string) error {
	if err := checkLocal(name); err != nil {
		return err
	}
	local, err := g.root.Lstat(name)
	if err != nil {
		return nil
	}
	if !local.Mode().IsRegular() {
		return errors.New("what has that name here is not a regular file")
	}
	there, err := g.Server.Stat(ctx, g.Server.Path(file))
	if err != nil {
		return g.Server.Explain(ctx, err)
	}
	open := func() (*os.File, error) { return g.root.Open(name) }
	if g.same(ctx, file, there, local, open) {
		return errSame
	}
	if !g.Force && !g.replace[name] && !g.UI.Confirm(ctx, "%s is here already. Replace it?", name) {
		return errExists
	}
	g.replace[name] = true
	return nil
}

// one downloads a file into a part, which gets the name when it is whole.
func (g *getting) one(ctx context.Context, b *batch, pr *progress, file, name string) error {
	at := g.Server.Path(file)
	d, err := g.Server.OpenDownload(ctx, at, b.limit)
	if err != nil {
		return err
	}
	pr.begin(d.Size)
	p, err := openPart(g.root, partName(g.Addr, at, d.Attrs), g.parts)
	if err != nil {
		return d.End(err)
	}
	err = d.End((&filling{g.Mover, d, p, pr, at}).fill(ctx))
	if errors.Is(err, errDamaged) || errors.Is(err, sftp.ErrChanged) {
		p.drop()
		return err
	}
	if err == nil {
		err = p.become(name, d.Modified, g.replace[name])
	}
	if err != nil {
		p.leave()
	}
	return err
}

// filling is the download of one file into its part.
type filling struct {
	*Mover
	d    *sftp.Download
	part *part
	p    *progress
	path string // on the server
}

// errDamaged means that a file is not the one on the server.
var errDamaged = errors.New("its SHA-256 is not that of the file on the server: it was changed meanwhile, or damaged")

// fill completes the part. A beginning that is here is used only if the server can
// make a digest to compare the result with. If the digests differ, the whole file is
// downloaded again.
func (f *filling) fill(ctx context.Context) error {
	resume := f.part.size > 0 && f.part.size <= f.d.Size && f.Server.CanSum(ctx)
	if f.part.size > 0 && !resume {
		// After an interrupt or a lost connection the beginning stays.
		if _, err := f.d.Stat(ctx); err != nil {
			return err
		}
		f.UI.Detailf("%s: the server has no sha256sum to check the beginning with, so the whole file is downloaded again", f.p.name)
	}
	if !resume {
		if err := f.part.keepFirst(0); err != nil {
			return err
		}
	}
	err := f.from(ctx, resume || f.Checksum)
	if errors.Is(err, errDamaged) && resume {
		f.UI.Warnf("%s: the beginning that was here is not that of the file, so the whole file is downloaded again", f.p.name)
		if err := f.part.keepFirst(0); err != nil {
			return err
		}
		f.p.restart()
		err = f.from(ctx, true)
	}
	return err
}

// from downloads what the part lacks and, with check, compares digests. The server
// makes its digest meanwhile.
func (f *filling) from(ctx context.Context, check bool) error {
	f.p.skip(f.part.size)
	if !check {
		if err := f.d.Copy(ctx, f.part, f.part.size, f.p.add); err != nil {
			return err
		}
		return f.part.Sync()
	}
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	theirs, server := make(chan string, 1), f.Server
	go func() {
		sum, _ := server.Sum(ctx, f.path, f.d.Size)
		theirs <- sum
	}()
	ours := sha256.New()
	err := hashFirst(ctx, ours, f.part.File, f.part.size)
	if err == nil {
		err = f.d.Copy(ctx, io.MultiWriter(f.part, ours), f.part.size, f.p.add)
	}
	if err == nil {
		err = f.part.Sync()
	}
	if err != nil {
		return err
	}
	f.p.sum = hexDigest(ours)
	return f.compare(ctx, <-theirs)
}

// compare compares the digest of a whole file with that of the server, or else with
// the file itself, read once more.
func (f *filling) compare(ctx context.Context, theirs string) error {
	if theirs == "" {
		f.UI.Detailf("%s: the server has no sha256sum, so the file is read once more", f.p.name)
		h := sha256.New()
		if err := f.d.CopyAgain(ctx, h); err != nil {
			return err
		}
		theirs = hexDigest(h)
	}
	if theirs != f.p.sum {
		return errDamaged
	}
	f.p.checked = true
	return nil
}
