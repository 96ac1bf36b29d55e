package bucket

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// Connection says how the store is reached.
type Connection struct {
	Endpoint  string // URL; "" is that of AWS for the region
	Region    string // "" is what the AWS configuration says, or us-east-1
	PathStyle bool   // the bucket is the first element of the path, not of the host name
	CA        string // file of certificates that the store's must be signed by; "" is the system's
	// Credentials come from the usual chain: the environment, Profile of the
	// files, web identity (a token file), SSO, and the role of the machine.
	Profile          string
	CredentialsFiles []string // instead of ~/.aws/credentials
	Timeout          time.Duration
}

// defaultTimeout is for how long the store may say nothing.
const defaultTimeout = 20 * time.Second

// keepIdle is how many connections wait for the next call.
const keepIdle = 64

// connect makes the client of a store. It calls nobody.
func connect(ctx context.Context, o *Options) (*store, error) {
	c := o.Connection
	if c.Timeout == 0 {
		c.Timeout = defaultTimeout
	}
	var load []func(*config.LoadOptions) error
	if c.Region != "" {
		load = append(load, config.WithRegion(c.Region))
	}
	if c.Profile != "" {
		load = append(load, config.WithSharedConfigProfile(c.Profile))
	}
	if len(c.CredentialsFiles) > 0 {
		load = append(load, config.WithSharedCredentialsFiles(c.CredentialsFiles))
	}
	cfg, err := config.LoadDefaultConfig(ctx, load...)
	if err != nil {
		return nil, fmt.Errorf("read the AWS configuration: %w", err)
	}
	if cfg.Region == "" {
		cfg.Region = "us-east-1"
	}
	transport, err := c.transport(cfg, c.Timeout)
	if err != nil {
		return nil, err
	}
	patient, err := c.transport(cfg, max(c.Timeout, completeTimeout))
	if err != nil {
		return nil, err
	}
	with := func(so *s3.Options) {
		so.HTTPClient = &http.Client{Transport: transport, CheckRedirect: noRedirect}
		if c.Endpoint != "" {
			so.BaseEndpoint = aws.String(c.Endpoint)
		}
		so.UsePathStyle = c.PathStyle
		// Tries are counted here, where it is known what a lost answer means.
		so.Retryer = aws.NopRetryer{}
		// Each body is signed with its SHA-256, which every store knows.
		so.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		so.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		so.ContinueHeaderThresholdBytes = -1 // a round trip for each part
	}
	client := s3.NewFromConfig(cfg, with)
	working := s3.NewFromConfig(cfg, with, func(so *s3.Options) {
		so.HTTPClient = &http.Client{Transport: patient, CheckRedirect: noRedirect}
	})
	prefix := ""
	if o.Prefix != "" {
		prefix = o.Prefix + "/"
	}
	idle := func() {
		transport.CloseIdleConnections()
		patient.CloseIdleConnections()
	}
	return &store{client: client, working: working, bucket: o.Bucket, prefix: prefix, o: o, timeout: c.Timeout, idle: idle, perPage: maxKeys}, nil
}

// noRedirect leaves it to the caller what to do about a redirect: to follow one with a
// signed request is no use.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// transport makes connections on which a silence ends a call that is longer than patience.
func (c Connection) transport(cfg aws.Config, patience time.Duration) (*http.Transport, error) {
	t := &http.Transport{Proxy: http.ProxyFromEnvironment}
	if b, ok := cfg.HTTPClient.(*awshttp.BuildableClient); ok {
		t = b.GetTransport() // with the certificates that the AWS configuration names
	}
	t.ForceAttemptHTTP2 = false // a connection for each stream
	t.TLSHandshakeTimeout = c.Timeout
	t.MaxIdleConns, t.MaxIdleConnsPerHost = keepIdle, keepIdle
	t.IdleConnTimeout = c.Timeout
	t.WriteBufferSize = 64 << 10
	t.ReadBufferSize = 0 // a small one: large reads then go by it
	t.DisableCompression = true
	dialer := &net.Dialer{Timeout: c.Timeout / 2}
	t.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &patientConn{conn, patience}, nil
	}
	if c.CA == "" {
		return t, nil
	}
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("read the CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, errors.New("the CA file holds no certificate in PEM form")
	}
	t.TLSClientConfig = &tls.Config{RootCAs: pool}
	return t, nil
}

// patientConn is a connection that fails when nothing comes or goes for a while. So a
// store that hangs ends a call, and a long transfer that goes on does not.
type patientConn struct {
	net.Conn
	patience time.Duration
}

// Read implements [net.Conn].
func (c *patientConn) Read(p []byte) (int, error) {
	if err := c.SetReadDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Read(p)
}

// Write implements [net.Conn].
func (c *patientConn) Write(p []byte) (int, error) {
	// HTTP waits for the answer from when it begins to send: a body that takes long must
	// not use up the time for that.
	if err := c.SetDeadline(time.Now().Add(c.patience)); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
