package main

import (
	"errors"
	"os"
	"time"

	"github.com/pkg/sftp"
	"golang.org/x/crypto/ssh"
)

// client is a connection of this process.
type client struct {
	ssh  *ssh.Client
	sftp *sftp.Client // nil until open
}

// connect logs in, by a key exchange that all servers have.
func (s *server) connect() (*client, error) {
	signer, err := s.signer()
	if err != nil {
		return nil, err
	}
	c, err := ssh.Dial("tcp", s.addr(), &ssh.ClientConfig{
		Config:          ssh.Config{KeyExchanges: []string{ssh.KeyExchangeCurve25519}},
		User:            s.user,
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(), // it is a server of ours, on loopback
		Timeout:         30 * time.Second,
	})
	if err != nil {
		return nil, err
	}
	return &client{ssh: c}, nil
}

// open logs in and starts the sftp subsystem.
func (s *server) open() (*client, error) {
	c, err := s.connect()
	if err != nil {
		return nil, err
	}
	if c.sftp, err = sftp.NewClient(c.ssh); err != nil {
		return nil, errors.Join(err, c.ssh.Close())
	}
	return c, nil
}

func (c *client) close() error {
	if c.sftp != nil {
		c.sftp.Close()
	}
	return c.ssh.Close()
}

// upload writes a file whole.
func (c *client) upload(name string, content []byte) error {
	f, err := c.sftp.Create(name)
	if err != nil {
		return err
	}
	if _, err := f.Write(content); err != nil {
		return errors.Join(err, f.Close())
	}
	return f.Close()
}

func (s *server) signer() (ssh.Signer, error) {
	text, err := os.ReadFile(s.key)
	if err != nil {
		return nil, err
	}
	return ssh.ParsePrivateKey(text)
}
