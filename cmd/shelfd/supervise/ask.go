package supervise

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"

	"shelf/cmd/shelfd/admin"
)

// ask asks who answers at a socket, and reads what it says into answer.
func ask(ctx context.Context, socket, method, what string, answer any) error {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) { return admin.Dial(ctx, socket) }
	client := http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}}
	request, err := http.NewRequestWithContext(ctx, method, "http://shelfd/v1/"+what, strings.NewReader("{}"))
	if err != nil {
		return err
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	const longest = 1 << 20
	text, err := io.ReadAll(io.LimitReader(response.Body, longest))
	if err != nil {
		return err
	}
	var failed struct{ Error string }
	if json.Unmarshal(text, &failed) == nil && failed.Error != "" {
		return errors.New(failed.Error)
	}
	if err := json.Unmarshal(text, answer); err != nil {
		return fmt.Errorf("%s answers something else than expected (%s)", socket, response.Status)
	}
	return nil
}

// upgraded is the answer to an upgrade.
type upgraded struct {
	PID   int     `json:"pid"`          // of the server that serves now
	Took  float64 `json:"took_seconds"` // until it was healthy
	Error string  `json:"error,omitempty"`
}

func reply(w http.ResponseWriter, a upgraded, err error) {
	if err != nil {
		a.Error = err.Error()
	}
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(a)
}
