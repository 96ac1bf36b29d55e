package main

import (
	"reflect"
	"testing"

	"shelf/cmd/shelfd/config"
	"shelf/sshd"
)

// The defaults that package config shows are those that sshd recommends.
func TestDefaultLimits(t *testing.T) {
	if got, want := limits(config.Defaults()), sshd.DefaultLimits(); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%+v\nwant\n%+v", got, want)
	}
}
