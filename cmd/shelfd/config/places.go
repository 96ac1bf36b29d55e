package config

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
)

// places are the lines and columns at which the file sets what counts, by the
// full names of settings, as "accounts.ada.from", or "deliver.1.url" for the second of
// several tables of one name.
type places map[string]string

// Where begins a message about a setting: the line and column where it is set,
// or of the table that it belongs in. It is "" if the file has neither.
func (s Settings) Where(setting string) string { return s.places.where(setting) }

// By is what sets a setting: its name, if the file sets it, or else its flag.
func (s Settings) By(setting string) string {
	if flag := flagOf(setting); s.places[setting] == "" && flag != "" {
		return "--" + flag
	}
	return setting
}

// Mistake says that a setting is wrong, and where it is set.
func (s Settings) Mistake(setting string, err error) error {
	return fmt.Errorf("%s%s: %w", s.Where(setting), s.By(setting), err)
}

// add remembers where each setting stands in a file.
func (p places) add(path string, content []byte) {
	parser := new(unstable.Parser)
	parser.Reset(content)
	table, several := "", make(map[string]int)
	for parser.NextExpression() {
		e := parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = p.addKey(path, parser, "", e)
		case unstable.ArrayTable:
			name := p.addKey(path, parser, "", e)
			table = fmt.Sprintf("%s.%d", name, several[name])
			several[name]++
			at := parser.Shape(firstKey(e).Raw).Start
			p[table] = fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)
		case unstable.KeyValue:
			p.addValue(path, parser, table, e)
		}
	}
}

func (p places) addValue(path string, parser *unstable.Parser, table string, e *unstable.Node) {
	name := p.addKey(path, parser, table, e)
	if e.Value().Kind != unstable.InlineTable {
		return
	}
	for all := e.Value().Children(); all.Next(); {
		if all.Node().Kind == unstable.KeyValue {
			p.addValue(path, parser, name, all.Node())
		}
	}
}

// firstKey is the first part of the name of a table.
func firstKey(e *unstable.Node) *unstable.Node {
	keys := e.Key()
	keys.Next()
	return keys.Node()
}

// addKey remembers the key of a table or value, and the tables around it.
func (p places) addKey(path string, parser *unstable.Parser, table string, e *unstable.Node) string {
	name, place := table, ""
	for keys := e.Key(); keys.Next(); {
		name = strings.TrimPrefix(name+"."+string(keys.Node().Data), ".")
		if place == "" {
			at := parser.Shape(keys.Node().Raw).Start
			place = fmt.Sprintf("%s:%d:%d", path, at.Line, at.Column)
		}
		p[name] = cmp.Or(p[name], place)
	}
	return name
}

func (p places) where(setting string) string {
	for name := setting; name != ""; name = name[:max(0, strings.LastIndexByte(name, '.'))] {
		if place, ok := p[name]; ok {
			return place + ": "
		}
	}
	return ""
}

// forget removes the setting of a flag, which has won over the file.
func (p places) forget(flag string) {
	maps.DeleteFunc(p, func(setting, _ string) bool { return flagOf(setting) == flag })
}
