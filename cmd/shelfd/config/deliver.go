package config

import (
	"fmt"
	"net/url"
	"reflect"
	"strings"

	"github.com/pelletier/go-toml/v2"
)

// Deliver is a table [[deliver]], of which there may be any number: somebody who is
// told of events.
type Deliver struct {
	Name              string    `toml:"name" unset:"must be set" doc:"name of the receiver, in logs and of its journal"`
	URL               string    `toml:"url,omitempty" unset:"none" doc:"where events are sent to; it or command must be set"`
	Command           []string  `toml:"command,omitempty" unset:"none" doc:"command that is run for each event, with its arguments; there is no shell"`
	Events            []string  `toml:"events,omitempty" default:"[\"put\", \"rename\", \"remove\", \"restore\", \"expire\", \"recovered\"]" doc:"operations of the events that it gets, by their names in the audit log; [] is all"`
	Libraries         []string  `toml:"libraries,omitempty" unset:"all" doc:"libraries of the events that it gets"`
	Accounts          []string  `toml:"accounts,omitempty" unset:"all" doc:"accounts of the events that it gets"`
	Results           []string  `toml:"results,omitempty" default:"[\"ok\"]" doc:"results of the events that it gets; [] is all"`
	SecretFile        string    `toml:"secret_file,omitempty" unset:"none" doc:"file of secrets, one a line, that what is sent to url is signed with"`
	KeyFile           string    `toml:"key_file,omitempty" unset:"none" doc:"file of an ed25519 key that what is sent to url is signed with"`
	Timeout           Duration  `toml:"timeout,omitempty" default:"30s" doc:"how long a try may take"`
	RetryMin          Duration  `toml:"retry_min,omitempty" default:"5s" doc:"how long to wait after the first try that failed; after each other twice as long"`
	RetryMax          Duration  `toml:"retry_max,omitempty" default:"24h" doc:"the longest to wait for the next try"`
	GiveUpAfter       Duration  `toml:"give_up_after,omitempty" default:"0s" doc:"how long an event is tried before it is dropped; 0 never drops one"`
	Concurrency       Count     `toml:"concurrency,omitempty" default:"4" doc:"events under way at once, each about another file"`
	AllowNetworks     []Network `toml:"allow_networks,omitempty" unset:"none" doc:"addresses and networks, private ones or without TLS, that url may lead to"`
	CA                string    `toml:"ca,omitempty" unset:"the authorities of the system" doc:"file of certificates that the server of url must have one of"`
	ClientCertificate string    `toml:"client_certificate,omitempty" unset:"none" doc:"file of the certificate that is shown to the server of url"`
	ClientKey         string    `toml:"client_key,omitempty" unset:"none" doc:"file of the key of client_certificate"`
}

// deliverTable is the name of the tables.
const deliverTable = "deliver"

// Deliveries are the receivers, with nothing left unsaid that has a default.
func (s Settings) Deliveries() (all []Deliver) {
	unsaid := reflect.ValueOf(defaultDeliver())
	for _, d := range s.Deliver {
		to := reflect.ValueOf(&d).Elem()
		for i := range to.NumField() {
			if to.Field(i).IsZero() {
				to.Field(i).Set(unsaid.Field(i))
			}
		}
		all = append(all, d)
	}
	return all
}

// defaultDeliver is what counts when nothing is said.
func defaultDeliver() (d Deliver) {
	var table strings.Builder
	for _, setting := range All() {
		if name, is := strings.CutPrefix(setting.Name, deliverTable+"."); is && setting.Default != "" {
			fmt.Fprintf(&table, "%s = %s\n", name, setting.Default)
		}
	}
	if err := toml.Unmarshal([]byte(table.String()), &d); err != nil {
		panic(fmt.Sprintf("a default in config.Deliver is wrong: %v", err))
	}
	return d
}

// HideURL is a URL without its path and what follows: who knows that of some receivers
// can send to them.
func HideURL(text string) string {
	u, err := url.Parse(text)
	switch {
	case text == "":
		return ""
	case err != nil || u.Host == "":
		return hidden
	}
	return u.Scheme + "://" + u.Host + "/" + hidden
}

// DeliverSetting is the name by which [Settings.Where] knows a setting of a receiver,
// counted from 0; "" is its table.
func DeliverSetting(receiver int, setting string) string {
	return strings.TrimSuffix(fmt.Sprintf("%s.%d.%s", deliverTable, receiver, setting), ".")
}
