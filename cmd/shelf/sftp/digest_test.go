package sftp

import "testing"

// Of an answer that is too long the beginning is kept.
func TestHead(t *testing.T) {
	h := &head{most: 10}
	for range 1000 {
		if n, err := h.Write([]byte("1234")); n != 4 || err != nil {
			t.Fatal(n, err)
		}
	}
	if got := h.text.String(); got != "1234123412" {
		t.Errorf("%.100q is kept", got)
	}
}
