package operate

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"syscall"

	"shelf/cmd/shelfd/admin"
)

// client asks a server over its socket.
type client struct {
	path string
	http http.Client
}

func newClient(path string) *client {
	c := &client{path: path}
	c.http.Transport = &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return admin.Dial(ctx, path) },
	}
	return c
}

func (c *client) close() { c.http.CloseIdleConnections() }

// get asks for something, and reads it into answer.
func (c *client) get(ctx context.Context, what string, answer any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://shelfd/v1/"+what, nil)
	if err != nil {
		return err
	}
	return c.do(r, answer)
}

// post has something done, and reads what comes of it into answer.
func (c *client) post(ctx context.Context, what string, request, answer any) error {
	text, err := json.Marshal(request)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://shelfd/v1/"+what, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/json")
	return c.do(r, answer)
}

// maxAnswer is the longest answer, in bytes.
const maxAnswer = 64 << 20

func (c *client) do(r *http.Request, answer any) error {
	response, err := c.http.Do(r)
	if err != nil {
		return c.unreachable(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil {
		return fmt.Errorf("the server's answer broke off: %w", err)
	}
	var failed struct{ Error string }
	if json.Unmarshal(text, &failed) == nil && failed.Error != "" {
		return errors.New(failed.Error)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("the server at %s answers something else than expected (%s): %w", c.path, response.Status, err)
	}
	return nil
}

// errUnreachable is that no server can be asked.
var errUnreachable = errors.New("no server can be asked")

// unreachable says why, and what to do about it.
func (c *client) unreachable(err error) error {
	if asked := (*url.Error)(nil); errors.As(err, &asked) {
		err = asked.Err // it names a URL that means nothing to people
	}
	hint := "is it running? --state, --admin-socket or --config name another one"
	switch {
	case errors.Is(err, fs.ErrPermission):
		hint = "ask as the user of the server, or as root"
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET):
		hint = "it serves its own user and root alone, or it has just ended"
	}
	return fmt.Errorf("%w at %s: %w; %s", errUnreachable, c.path, err, hint)
}
