package audit

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"
)

// fill sets every field of a struct.
func fill(v reflect.Value, text string, number int64) {
	for i := range v.NumField() {
		f := v.Field(i)
		switch {
		case f.Type() == reflect.TypeFor[Stamp]():
			f.Set(reflect.ValueOf(Stamp{time.Unix(number, 123456789)}))
		case f.Kind() == reflect.Pointer:
			f.Set(reflect.New(f.Type().Elem()))
			if f.Elem().Kind() == reflect.Struct {
				fill(f.Elem(), text, number)
			} else {
				f.Elem().SetInt(number)
			}
		case f.Kind() == reflect.String:
			f.SetString(text)
		case f.Kind() == reflect.Bool:
			f.SetBool(number != 0)
		case f.CanInt():
			f.SetInt(number)
		default:
			f.SetUint(uint64(number))
		}
	}
}

// A line is what package json makes of it, whatever is in it.
func TestEncode(t *testing.T) {
	for _, text := range []string{"", "plain", `a"b\\c`, "<&>", "ä\u2028\u2029", "\x00\n\xff\ufffd", "日本"} {
		for _, number := range []int64{0, 1, 1234567, 1<<62 - 1} {
			var l Line
			fill(reflect.ValueOf(&l).Elem(), text, number)
			var want bytes.Buffer
			e := json.NewEncoder(&want)
			e.SetEscapeHTML(false)
			if err := e.Encode(l); err != nil {
				t.Fatal(err)
			}
			if got := l.encode(); !bytes.Equal(got, want.Bytes()) {
				t.Errorf("got\n%s\nwant\n%s", got, want.Bytes())
			}
		}
	}
	if got := string(Line{}.encode()); got != `{"time":"0001-01-01T00:00:00.000Z","seq":0,"id":"","host":"","op":"","result":""}`+"\n" {
		t.Error(got)
	}
}
