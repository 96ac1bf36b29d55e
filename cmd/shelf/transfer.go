package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
	"golang.org/x/term"
)

// each does one file after the other. One that fails does not stop the rest,
// but Ctrl-C does.
func (s *shell) each(ctx context.Context, names []string, do func(context.Context, string) error) error {
	failed := 0
	for _, name := range names {
		if ctx.Err() != nil {
			failed++
			continue
		}
		if err := do(ctx, name); err != nil {
			failed++
			fmt.Fprintf(s.err, "%s: %v\n", printable(name), err)
		}
	}
	if failed > 0 && len(names) > 1 {
		return fmt.Errorf("%d of %d files failed", failed, len(names))
	}
	if failed > 0 {
		return fmt.Errorf("the file was not transferred")
	}
	return nil
}

// progress shows how far one transfer is: a bar on a terminal, nothing
// elsewhere; and a line when it is done.
type progress struct {
	s     *shell
	verb  string // what was done, for the line
	name  string
	start time.Time
	bars  *mpb.Progress // nil without a terminal
	bar   *mpb.Bar
}

func (s *shell) progress(verb, name string, size int64) *progress {
	p := &progress{s: s, verb: verb, name: name, start: time.Now()}
	f, ok := s.out.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) {
		return p
	}
	p.bars = mpb.New(mpb.WithOutput(f), mpb.WithWidth(24), mpb.WithRefreshRate(100*time.Millisecond))
	p.bar = p.bars.AddBar(size,
		mpb.BarRemoveOnComplete(),
		mpb.PrependDecorators(decor.Name(printable(name)+" "), decor.CountersKibiByte("% .1f / % .1f")),
		mpb.AppendDecorators(decor.AverageSpeed(decor.SizeB1024(0), "% .1f "), decor.AverageETA(decor.ET_STYLE_GO)),
	)
	return p
}

// Write counts what was transferred.
func (p *progress) Write(b []byte) (int, error) {
	if p.bar != nil {
		p.bar.IncrBy(len(b))
	}
	return len(b), nil
}

// reader counts what is read from r.
func (p *progress) reader(r io.Reader) io.Reader { return io.TeeReader(r, p) }

// writer counts what is written to w.
func (p *progress) writer(w io.Writer) io.Writer { return io.MultiWriter(w, p) }

// end takes the bar away and, if all is well, says what was done.
func (p *progress) end(n int64, err error) {
	if p.bars != nil {
		p.bar.Abort(true)
		p.bars.Wait()
	}
	if err != nil {
		return
	}
	took := time.Since(p.start)
	rate := int64(float64(n) / max(took.Seconds(), 0.001))
	fmt.Fprintf(p.s.out, "%s %s: %s in %s, %s/s\n", p.verb, printable(p.name), size(n), took.Round(time.Millisecond), size(rate))
}
