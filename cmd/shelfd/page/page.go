// Package page is the web page that shows what a server does.
//
//	page.go     Page: its requests
//	page.html   what the browser gets: one file, with its script and its style
//	view.go     what the page asks for again and again, as JSON
//	history.go  the last hour
//	events.go   the last events
//
// The page asks for all that it shows, and puts it into the document as text: there
// is no place in it where something from a client could be read as HTML. Its
// Content-Security-Policy allows the script and the style of this file, by their
// digests, and nothing else.
package page

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"time"

	"shelf/cmd/shelfd/admin"
	"shelf/sshd"
)

//go:embed page.html
var html string

// Page is the page of one server.
type Page struct {
	server  *admin.Cached
	history history
	events  events
	policy  string // Content-Security-Policy
}

// New makes the page of a server that has just started.
func New(s *admin.Cached) *Page { return &Page{server: s, policy: policyFor(html)} }

// Event is told of each event.
func (p *Page) Event(e sshd.Event) {
	p.history.event(e)
	p.events.add(e)
}

// Run keeps the last hour, until ctx ends.
func (p *Page) Run(ctx context.Context) {
	tick := time.NewTicker(step)
	defer tick.Stop()
	for {
		s := p.server.Status()
		p.history.sample(s.Traffic, s.Refused)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// Handler answers for the page and for what it asks.
func (p *Page) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		w.Header().Set("Content-Security-Policy", p.policy)
		w.Write([]byte(html))
	})
	mux.HandleFunc("GET /page.json", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		json.NewEncoder(w).Encode(p.view(r.Context()))
	})
	return mux
}

// policyFor allows what is inline in the page, and its questions to this server.
func policyFor(html string) string {
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + digests(html, "script"),
		"style-src " + digests(html, "style"),
		"connect-src 'self'",
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"frame-ancestors 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}

// digests are those of the content of all elements of a kind.
func digests(html, element string) string {
	var all []string
	for _, m := range regexp.MustCompile(`(?s)<`+element+`>(.*?)</`+element+`>`).FindAllStringSubmatch(html, -1) {
		sum := sha256.Sum256([]byte(m[1]))
		all = append(all, fmt.Sprintf("'sha256-%s'", base64.StdEncoding.EncodeToString(sum[:])))
	}
	return strings.Join(all, " ")
}
