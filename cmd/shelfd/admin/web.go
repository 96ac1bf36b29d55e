package admin

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Web answers the requests of the web address, to whoever can connect to it:
//
//	/metrics  for Prometheus
//	/livez    "ok"
//	/readyz   what the server needs to do its work; status 503 if something fails
//	/         the page, from the handler page, which has all other paths
//
// Only GET and HEAD are answered, and only to who asks for this machine: hosts are
// its names. A page from elsewhere that a browser of this machine shows could
// otherwise read all of it, by a name that its owner lets point here (DNS
// rebinding). Addresses are no such names.
func Web(s *Cached, hosts []string, metrics, page http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/metrics", metrics)
	mux.HandleFunc("/livez", func(w http.ResponseWriter, _ *http.Request) { plain(w, http.StatusOK, "ok\n") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, r *http.Request) {
		ready := s.Readiness(r.Context())
		plain(w, ready.status(), ready.String())
	})
	mux.Handle("/", page)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Referrer-Policy", "no-referrer")
		switch {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			h.Set("Allow", "GET, HEAD")
			plain(w, http.StatusMethodNotAllowed, "Only GET is answered here. What changes something goes through the admin socket.\n")
		case !named(r.Host, hosts):
			plain(w, http.StatusMisdirectedRequest, fmt.Sprintf("This server is not known as %q here. Ask by its address, or add the name to admin_hosts.\n", r.Host))
		default:
			mux.ServeHTTP(w, r)
		}
	})
}

// named tells whether a Host header is an address, or a name of this machine. None
// at all is that of a probe that speaks HTTP/1.0; browsers always send one.
func named(header string, hosts []string) bool {
	host := header
	if h, _, err := net.SplitHostPort(header); err == nil {
		host = h
	}
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if _, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil || host == "localhost" || host == "" {
		return true
	}
	return slices.ContainsFunc(hosts, func(name string) bool { return strings.EqualFold(name, host) })
}

// ListenWeb opens the web address, with SO_REUSEPORT: during an upgrade the old server
// and the new one have the same address. For the new one follows is true. If it is
// false nobody else may have the address. That is tried first, without SO_REUSEPORT,
// with which two servers of one user could listen there and not notice.
func ListenWeb(address string, follows bool) (net.Listener, error) {
	if !follows {
		l, err := net.Listen("tcp", address)
		if err != nil {
			return nil, err
		}
		l.Close()
	}
	c := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) (err error) {
		if failed := raw.Control(func(fd uintptr) { err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1) }); failed != nil {
			return failed
		}
		return err
	}}
	return c.Listen(context.Background(), "tcp", address)
}

func plain(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	io.WriteString(w, text)
}
