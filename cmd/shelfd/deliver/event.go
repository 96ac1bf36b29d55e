package deliver

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"shelf/cmd/shelfd/audit"
)

// event is a line that a receiver wants and does not have yet.
type event struct {
	audit.Line
	text []byte   // the line, as it is in the log
	keys []string // what it may not overtake, or be overtaken by, others about

	tries  int
	first  time.Time // of the first try; zero is none
	tried  time.Time // the last one
	due    time.Time // of the next
	reason string    // why the last one failed
	silent bool      // it had no answer
}

// newEvent takes a line; the text is copied.
func newEvent(text []byte) (*event, error) {
	e := &event{text: bytes.Clone(text)}
	if err := json.Unmarshal(e.text, &e.Line); err != nil {
		return nil, err
	}
	if e.ID == "" || e.Op == "" {
		return nil, fmt.Errorf("this is no line of an audit log")
	}
	for _, name := range []string{e.Name, e.Target} {
		if name != "" && (len(e.keys) == 0 || e.Target != e.Name) {
			e.keys = append(e.keys, e.Library+"\x00"+name)
		}
	}
	return e, nil
}

// contentType is what a message is (CloudEvents, HTTP protocol binding, 3.2).
const contentType = "application/cloudevents+json; charset=utf-8"

// envelope is an event in the JSON format of CloudEvents 1.0.
type envelope struct {
	SpecVersion     string          `json:"specversion"`
	ID              string          `json:"id"`
	Source          string          `json:"source"`
	Type            string          `json:"type"`
	Subject         string          `json:"subject,omitempty"`
	Time            audit.Stamp     `json:"time"`
	Sequence        string          `json:"sequence"` // an extension of that name
	DataContentType string          `json:"datacontenttype"`
	Data            json.RawMessage `json:"data"`
}

// message is the event as receivers get it. Its data is the line of the log.
func (e *event) message() []byte {
	subject := e.Library + "/" + e.Name
	if e.Name == "" {
		subject = e.Account
	}
	var text bytes.Buffer
	to := json.NewEncoder(&text)
	to.SetEscapeHTML(false)
	// A line that was decoded can be encoded.
	_ = to.Encode(envelope{
		SpecVersion: "1.0", ID: e.ID, Source: "//" + url.PathEscape(e.Host) + "/shelf", Type: "shelf." + e.Op,
		Subject: subject, Time: e.Time, Sequence: fmt.Sprintf("%020d", e.Seq), DataContentType: "application/json", Data: e.text,
	})
	return bytes.TrimSuffix(text.Bytes(), []byte("\n"))
}
