package bucket

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"
)

// A body may take longer than a store may say nothing.
func TestLongBody(t *testing.T) {
	const patience, pieces, piece = 300 * time.Millisecond, 8, 32 << 10 // of which HTTP writes one at a time
	here, there := net.Pipe()                                           // which holds nothing on the way
	defer there.Close()
	go func() {
		r, err := http.ReadRequest(bufio.NewReaderSize(there, 16))
		if err != nil {
			return
		}
		for range pieces {
			time.Sleep(patience / 4)
			io.CopyN(io.Discard, r.Body, piece)
		}
		io.WriteString(there, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	}()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return &patientConn{here, patience}, nil
	}}
	defer transport.CloseIdleConnections()
	body := struct{ io.Reader }{bytes.NewReader(make([]byte, pieces*piece))} // which goes by pieces
	in, err := http.NewRequest(http.MethodPut, "http://store/key", body)
	if err != nil {
		t.Fatal(err)
	}
	in.ContentLength = pieces * piece
	out, err := transport.RoundTrip(in)
	if err != nil {
		t.Fatalf("a body that is taken slowly: %v", err)
	}
	out.Body.Close()
}
