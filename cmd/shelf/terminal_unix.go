//go:build unix

package main

const terminalFile = "/dev/tty"
