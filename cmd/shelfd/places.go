package main

import (
	"cmp"
	"fmt"
	"maps"
	"strings"

	"github.com/pelletier/go-toml/v2/unstable"
	"github.com/spf13/pflag"
)

// places are the lines and columns at which the configuration file sets what
// counts, by the names of settings with a dot between table and key.
type places map[string]string

// add remembers where a file sets what.
func (p places) add(path string, content []byte) {
	parser := new(unstable.Parser)
	parser.Reset(content)
	table := ""
	for parser.NextExpression() {
		e := parser.Expression()
		switch e.Kind {
		case unstable.Table, unstable.ArrayTable:
			table = p.addKey(path, parser, "", e)
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

// addKey remembers the key of a table or value, and the tables that it is in.
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

// where is the beginning of a message about a setting: where it is set, or the
// table that it should be in; "" for one that the file says nothing of.
func (p places) where(setting string) string {
	for name := setting; name != ""; name = name[:max(0, strings.LastIndexByte(name, '.'))] {
		if place, ok := p[name]; ok {
			return place + ": "
		}
	}
	return ""
}

// by is what a setting is set by: its name in the file, or its flag for who has
// not set it there.
func (p places) by(setting string) string {
	if p[setting] != "" {
		return setting
	}
	flags := pflag.NewFlagSet("", pflag.ContinueOnError)
	new(settings).bind(flags)
	if f := flags.Lookup(flagOf(setting)); f != nil {
		return "--" + f.Name
	}
	return setting
}

// flagOf is the name of the flag that sets what a setting does, if there is one.
func flagOf(setting string) string {
	if setting == "authorized_keys_file" {
		return "authorized-keys"
	}
	return strings.ReplaceAll(setting, "_", "-")
}

// forget what a flag has set in place of the file.
func (p places) forget(flag string) {
	maps.DeleteFunc(p, func(setting, _ string) bool { return flagOf(setting) == flag })
}

// mistake says which setting is wrong, and where it is set.
func (p places) mistake(setting string, err error) error {
	return fmt.Errorf("%s%s: %w", p.where(setting), p.by(setting), err)
}
