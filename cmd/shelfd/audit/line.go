package audit

import (
	"encoding/hex"
	"fmt"
	"math"
	"strconv"
	"time"

	"shelf/sshd"
	"shelf/vfs"
)

// Line is a line of the log. docs/audit.md says what each field means, and
// docs/audit.schema.json holds for each.
type Line struct {
	Time     Stamp    `json:"time"`
	Seq      uint64   `json:"seq"`
	ID       string   `json:"id"`
	Host     string   `json:"host"`
	Op       string   `json:"op"`
	Result   string   `json:"result"`
	Reason   string   `json:"reason,omitempty"`
	Conn     string   `json:"conn,omitempty"`
	Account  string   `json:"account,omitempty"`
	Library  string   `json:"library,omitempty"`
	Name     string   `json:"name,omitempty"`
	Target   string   `json:"target,omitempty"`
	New      bool     `json:"new,omitempty"`
	Restored string   `json:"restored,omitempty"`
	Replaced *Content `json:"replaced,omitempty"`
	Set      *Set     `json:"set,omitempty"`
	Size     *int64   `json:"size,omitempty"`
	Bytes    int64    `json:"bytes,omitempty"`
	SHA256   string   `json:"sha256,omitempty"`
	Version  string   `json:"version,omitempty"`
	Gate     string   `json:"gate,omitempty"`
	Duration *Millis  `json:"duration_ms,omitempty"`
	Source   string   `json:"source,omitempty"`
	Client   string   `json:"client,omitempty"`
	Method   string   `json:"method,omitempty"`
	Key      string   `json:"key,omitempty"`
	Cert     *Cert    `json:"cert,omitempty"`
	Operator string   `json:"operator,omitempty"`
	Note     string   `json:"note,omitempty"`
	Program  string   `json:"program,omitempty"`
	Lines    int      `json:"lines,omitempty"`
	Omitted  int      `json:"omitted,omitempty"`
	Prev     string   `json:"prev,omitempty"`
	Sig      string   `json:"sig,omitempty"` // the last
}

// Content is a version of a file.
type Content struct {
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256,omitempty"`
	Version string `json:"version,omitempty"`
}

// Set is what a client wanted to set of a file.
type Set struct {
	Size  *int64 `json:"size,omitempty"`
	Mode  string `json:"mode,omitempty"`  // octal
	Mtime string `json:"mtime,omitempty"` // in UTC
}

// setOf is nil if there was nothing to set.
func setOf(a vfs.Attr) *Set {
	s := new(Set)
	if a.HasSize {
		s.Size = &a.Size
	}
	if a.HasMode {
		s.Mode = fmt.Sprintf("%04o", uint32(a.Mode.Perm()))
	}
	if a.HasTimes {
		s.Mtime = a.Mtime.UTC().Format(time.RFC3339)
	}
	if *s == (Set{}) {
		return nil
	}
	return s
}

// Cert is the certificate of a key.
type Cert struct {
	ID     string `json:"id"`
	Serial uint64 `json:"serial"`
	CA     string `json:"ca"`
}

// Stamp is a time in UTC with milliseconds.
type Stamp struct{ time.Time }

// MarshalJSON implements [json.Marshaler].
func (t Stamp) MarshalJSON() ([]byte, error) {
	return t.UTC().AppendFormat(nil, stampLayout), nil
}

const stampLayout = `"2006-01-02T15:04:05.000Z"`

// Millis is a duration in milliseconds, with microseconds behind the point.
type Millis time.Duration

// Float is the number of milliseconds.
func (m Millis) Float() float64 { return math.Round(float64(m)/1e3) / 1e3 }

// MarshalJSON implements [json.Marshaler].
func (m Millis) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, m.Float(), 'f', -1, 64), nil
}

// UnmarshalJSON implements [json.Unmarshaler].
func (m *Millis) UnmarshalJSON(text []byte) error {
	ms, err := strconv.ParseFloat(string(text), 64)
	*m = Millis(ms * 1e6)
	return err
}

// LineOf is the line of an event, without what the Log gives it: its time, number,
// id and host. What a client has sent is escaped.
func LineOf(e sshd.Event) Line {
	l := Line{
		Op: e.Op, Result: e.Result(), Conn: e.Conn, Account: vfs.Escape(e.Account),
		Library: e.Library, Name: vfs.Escape(e.Name), Target: vfs.Escape(e.Target), New: e.New, Restored: vfs.Escape(e.Restored), Bytes: e.Bytes, Gate: e.Gate,
		Source: vfs.Escape(e.Source), Client: vfs.Escape(e.ClientVersion), Method: vfs.Escape(e.Method), Key: e.KeyFingerprint,
		Operator: vfs.Escape(e.Operator), Note: vfs.Escape(e.Note), Program: e.Program, Omitted: e.Omitted,
	}
	if e.Err != nil {
		l.Reason = vfs.Escape(e.Err.Error())
	}
	if e.Conn != "" && e.Operator == "" {
		d := Millis(e.Duration)
		l.Duration = &d
	}
	if f := e.File; f != nil {
		l.Size, l.SHA256, l.Version = &f.Size, hex.EncodeToString(f.SHA256), f.Version.String()
	}
	if f := e.Replaced; f != nil {
		l.Replaced = &Content{f.Size, hex.EncodeToString(f.SHA256), f.Version.String()}
	}
	l.Set = setOf(e.Set)
	if c := e.Certificate; c != nil {
		l.Cert = &Cert{vfs.Escape(c.KeyID), c.Serial, c.CA}
	}
	return l
}
