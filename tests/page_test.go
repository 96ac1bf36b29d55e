package tests

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/crypto/ssh"
)

// pagePicture is where TestPage leaves a picture of the page, such as that in docs.
var pagePicture = flag.String("page.png", "", "write a picture of the page to this file")

// hostile are names of files that a page could be hurt by.
var hostile = []string{
	`<img src=x onerror=window.pwned=1>`, `"><svg onload=window.pwned=1>`, `'+alert(1)+'`, `<b>bold<!--`, `{{7*7}}${7*7}`,
	"javascript:window.pwned=1", "\u202efdp.exe", strings.Repeat("long ", 50), `</script><script>window.pwned=1</script>`,
}

// TestPage looks at the page with a browser, while many clients upload files with
// hostile names: none of them is read as anything but text.
func TestPage(t *testing.T) {
	oneServer(t, "what the page of one server shows")
	need(t, "chromium")
	connections := orInFull(12, 1000)
	s := serveConfigured(t, fmt.Sprintf("max_connections = %d\n%s[account_limits]\nconnections = %[1]d\nchannels = %[1]d\n", 2*connections, operated))
	uploads := s.uploadHostile(t, connections)
	s.commandHostile(t, uploads[0])
	b := open(t, s.web(t))
	rows := min(connections, 100)
	b.awaits(`document.querySelector("#transfers tbody").rows.length`, rows)

	var names []string
	b.evaluate(`[...document.querySelectorAll("#transfers td.name")].map(td => td.textContent)`, &names)
	for i, name := range hostile[:len(hostile)-1] {
		if shown := strings.ReplaceAll(name, "\u202e", `\u202e`); !slices.Contains(names, shown) {
			t.Errorf("the name %d is not shown as it is: %s", i, shown)
		}
	}
	var events string
	b.evaluate(`document.querySelector("#events").textContent`, &events)
	for _, want := range []string{hostile[len(hostile)-1], "<u>nobody</u>"} {
		if !strings.Contains(events, want) {
			t.Errorf("the events do not show %s", want)
		}
	}
	for what, is := range map[string]string{
		"a script of a client ran":           `window.pwned !== undefined`,
		"there is a picture":                 `document.images.length > 0`,
		"there is more script":               `document.scripts.length !== 1`,
		"the title has changed":              `document.title !== "Shelf"`,
		"the state is not told":              `document.querySelector("#state").textContent !== "serving"`,
		"there are problems":                 `!document.querySelector("#problems").hidden`,
		"something has no name for a reader": `[...document.querySelectorAll("progress, svg, .scroll, section")].some(e => !(e.ariaLabel || e.getAttribute("aria-labelledby")))`,
	} {
		var so bool
		if b.evaluate(is, &so); so {
			t.Error(what)
		}
	}
	b.fitsEverywhere(t)
	if *pagePicture != "" {
		b.picture(t, *pagePicture)
	}

	// What ends goes away, and becomes an event.
	if err := uploads[0].f.Close(); err != nil {
		t.Fatal(err)
	}
	b.awaits(`[...document.querySelectorAll("#events tr")].filter(r => r.cells[1].textContent === "put" && r.cells[5].textContent === "").length`, 1)
	if *torture {
		b.isFast(t)
	}
	b.end()
}

// hostileUpload is an upload under way.
type hostileUpload struct {
	*client
	f interface{ Close() error }
}

// uploadHostile has so many clients upload a file each.
func (s *server) uploadHostile(t *testing.T, n int) []hostileUpload {
	t.Helper()
	all := make([]hostileUpload, n)
	var working sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i := range all {
		working.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			c, err := s.connect()
			if err != nil {
				t.Error(err)
				return
			}
			name := hostile[i%(len(hostile)-1)]
			if i >= len(hostile)-1 {
				name = fmt.Sprint(i, name[:min(len(name), 200)])
			}
			f, err := c.Create(name)
			if err == nil {
				_, err = f.Write(content(1, 100_000))
			}
			if err == nil && i%2 == 1 {
				err = f.Truncate(200_000) // says how large it will be
			}
			if err != nil {
				t.Error(err)
			}
			all[i] = hostileUpload{c, f}
		})
	}
	working.Wait()
	t.Cleanup(func() {
		for _, u := range all {
			if u.client != nil {
				u.close()
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	return all
}

// commandHostile makes events that have HTML in them.
func (s *server) commandHostile(t *testing.T, c hostileUpload) {
	t.Helper()
	channel, requests, err := c.ssh.OpenChannel("session", nil)
	if err != nil {
		t.Fatal(err)
	}
	go ssh.DiscardRequests(requests)
	channel.SendRequest("exec", true, ssh.Marshal(struct{ Line string }{hostile[len(hostile)-1]}))
	channel.Close()
	if c, err := s.connectAs("<u>nobody</u>"); err == nil {
		c.close()
		t.Error("nobody is let in")
	}
}

// browser is a tab of Chromium.
type browser struct {
	t   *testing.T
	ctx context.Context
	end func()
}

// open has a new browser show a page. What it complains of fails the test.
func open(t *testing.T, url string) *browser {
	t.Helper()
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath("chromium"), chromedp.NoSandbox, chromedp.WSURLReadTimeout(patience))
	allocator, stop := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, cancel := chromedp.NewContext(allocator)
	b := &browser{t: t, ctx: ctx, end: sync.OnceFunc(func() { cancel(); stop() })}
	t.Cleanup(b.end)
	b.do(chromedp.Navigate("about:blank"))
	var listening sync.WaitGroup
	listening.Go(func() {
		for m, err := range chromedp.Console(ctx) {
			if err != nil {
				return
			}
			t.Errorf("the browser says: %s", m)
		}
	})
	t.Cleanup(func() { b.end(); listening.Wait() })
	b.do(chromedp.EmulateViewport(1100, 900), chromedp.Navigate(url))
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// evaluate reads what an expression of JavaScript is.
func (b *browser) evaluate(expression string, to any) {
	b.t.Helper()
	text, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](`JSON.stringify(`+expression+`)`))
	if err == nil {
		err = json.Unmarshal([]byte(text), to)
	}
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
}

// awaits waits until an expression is a number.
func (b *browser) awaits(expression string, want int) {
	b.t.Helper()
	eventually(b.t, fmt.Sprintf("%s is %d", expression, want), func() bool {
		var got int
		b.evaluate(expression, &got)
		return got == want
	})
}

// fitsEverywhere looks at the page on a small screen, in the dark, and by keyboard.
func (b *browser) fitsEverywhere(t *testing.T) {
	t.Helper()
	var day, night string
	b.evaluate(`getComputedStyle(document.body).backgroundColor`, &day)
	b.do(chromedp.EmulateViewport(400, 800), func(ctx context.Context, tab *chromedp.Target) (chromedp.Void, error) {
		_, err := cdp.Call(ctx, tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: "dark"}},
		})
		return chromedp.Void{}, err
	})
	b.evaluate(`getComputedStyle(document.body).backgroundColor`, &night)
	if day == night {
		t.Errorf("by day and by night it is %s", day)
	}
	var width int
	if b.evaluate(`document.documentElement.scrollWidth`, &width); width > 400 {
		t.Errorf("it needs %d pixels", width)
	}
	b.do(chromedp.KeyEvent(kb.Tab))
	var focused string
	if b.evaluate(`document.activeElement.className`, &focused); focused != "scroll" {
		t.Errorf("the first thing for the keyboard is %q", focused)
	}
	b.do(chromedp.EmulateViewport(1100, 900))
}

// picture writes what the page looks like.
func (b *browser) picture(t *testing.T, file string) {
	t.Helper()
	picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
	if err == nil {
		err = os.WriteFile(file, picture, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// isFast has the page show new answers for a while.
func (b *browser) isFast(t *testing.T) {
	t.Helper()
	var times []float64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(time.Second) {
		var took float64
		b.evaluate(`Number(document.documentElement.dataset.refresh)`, &took)
		times = append(times, took)
	}
	slices.Sort(times)
	t.Logf("a refresh takes %v ms", times)
	if median := times[len(times)/2]; median > 100 {
		t.Errorf("a refresh takes %v ms", median)
	}
}
