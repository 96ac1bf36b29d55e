package main

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"time"

	"github.com/spf13/pflag"

	"shelf/sshd"
	"shelf/sshd/sftp"
	"shelf/vfs/local"
)

// settings is what can be set, by the configuration file under the names
// below, which are sshd_config's where it has them, or by flags.
type settings struct {
	Listen              string    `toml:"listen"`
	Library             string    `toml:"library"`
	State               string    `toml:"state"`
	User                string    `toml:"user"`
	AuthorizedKeysFile  string    `toml:"authorized_keys_file"`
	LogFormat           logFormat `toml:"log_format"`
	LogLevel            logLevel  `toml:"log_level"`
	Grace               duration  `toml:"grace"`
	LoginGraceTime      duration  `toml:"login_grace_time"`
	MaxAuthTries        count     `toml:"max_auth_tries"`
	MaxStartups         startups  `toml:"max_startups"`
	MaxConnections      count     `toml:"max_connections"`
	MaxSessions         count     `toml:"max_sessions"`
	ClientAliveInterval duration  `toml:"client_alive_interval"`
	ClientAliveCountMax count     `toml:"client_alive_count_max"`
	MemoryLimit         size      `toml:"memory_limit"`

	Durability         durability `toml:"durability"`
	Quota              size       `toml:"quota"`
	MinFreeSpace       size       `toml:"min_free_space"`
	MaxFileSize        size       `toml:"max_file_size"`
	MaxOpenFiles       count      `toml:"max_open_files"`
	PartialMinSize     size       `toml:"partial_min_size"`
	PartialMaxAge      duration   `toml:"partial_max_age"`
	PartialsPerAccount uint16     `toml:"partials_per_account"`

	TrustedUserCAKeys string `toml:"trusted_user_ca_keys"`
	RevokedKeys       string `toml:"revoked_keys"`
	AuditLog          string `toml:"audit_log"`

	Sandbox   sandbox `toml:"sandbox"`
	AllowRoot bool    `toml:"allow_root"`

	PerSourceMaxStartups       uint16       `toml:"per_source_max_startups"`
	PerSourceNetBlockSize      netBlockSize `toml:"per_source_net_block_size"`
	PerSourcePenalties         penalties    `toml:"per_source_penalties"`
	PerSourcePenaltyExemptList []network    `toml:"per_source_penalty_exempt_list"`
	ExemptProbes               []network    `toml:"exempt_probes"`
	ProxyProtocol              []network    `toml:"proxy_protocol"`

	Libraries map[string]librarySettings `toml:"libraries"`
	Accounts  map[string]accountSettings `toml:"accounts"`

	configFile string
	places     places
	reread     func() (settings, error) // reads them again; nil is that they never change
	givenKeys  string                   // AuthorizedKeysFile as it was given, for people to paste
}

// defaults are the settings when nothing is said. Those that depend on who
// starts the server are filled in by complete.
func defaults() settings {
	l, partials := sshd.DefaultLimits(), local.DefaultPartialRules()
	return settings{
		Listen:              ":2222",
		Grace:               duration{10 * time.Second},
		LoginGraceTime:      duration{l.LoginGraceTime},
		MaxAuthTries:        count{l.MaxAuthTries},
		MaxStartups:         startups{l.MaxStartups},
		MaxConnections:      count{l.MaxConnections},
		MaxSessions:         count{l.MaxSessions},
		ClientAliveInterval: duration{l.ClientAliveInterval},
		ClientAliveCountMax: count{l.ClientAliveCountMax},
		MemoryLimit:         size{256 << 20},

		Durability:         durability{local.Fsync},
		MaxOpenFiles:       count{sftp.DefaultMaxOpenFiles},
		PartialMinSize:     size{partials.MinSize},
		PartialMaxAge:      duration{partials.MaxAge},
		PartialsPerAccount: uint16(partials.PerAccount),

		PerSourceMaxStartups:       uint16(l.PerSourceMaxStartups),
		PerSourceNetBlockSize:      netBlockSize(l.PerSourceNetBlockSize),
		PerSourcePenalties:         penaltiesOf(l.Penalties),
		PerSourcePenaltyExemptList: networksOf(l.Penalties.Exempt),
	}
}

// bind makes flags of the settings that one wants at a prompt.
func (s *settings) bind(f *pflag.FlagSet) {
	f.StringVar(&s.Listen, "listen", s.Listen, "listen on `address`:port")
	f.StringVar(&s.Library, "library", s.Library, "serve the files in this `directory` (default library)")
	f.StringVar(&s.State, "state", s.State, "keep the host key in this `directory` (default $XDG_STATE_HOME/shelf)")
	f.StringVar(&s.User, "user", s.User, "the account that may log in, by `name` (default who starts the server)")
	f.StringVar(&s.AuthorizedKeysFile, "authorized-keys", s.AuthorizedKeysFile, "`file` of the keys it may log in with (default ~/.ssh/authorized_keys)")
	f.TextVar(&s.LogFormat, "log-format", s.LogFormat, "write the log as `text` or json")
	f.TextVar(&s.LogLevel, "log-level", s.LogLevel, "write what is of this `level` or above: debug, info, warn, error")
	f.TextVar(&s.Grace, "grace", s.Grace, "`time` for transfers to end when the server is stopped")
	f.TextVar(&s.LoginGraceTime, "login-grace-time", s.LoginGraceTime, "`time` for a client to log in; 0 is no limit")
	f.TextVar(&s.MemoryLimit, "memory-limit", s.MemoryLimit, "try to stay within this `size` of memory")
}

// complete fills in what depends on who starts the server.
func (s *settings) complete() error {
	if err := s.checkTables(); err != nil {
		return err
	}
	if s.Library == "" && len(s.Libraries) == 0 {
		s.Library = "library"
	}
	if !s.manyAccounts() {
		if err := s.completeAccount(); err != nil {
			return err
		}
	}
	if s.State == "" {
		var err error
		if s.State, err = stateFolder(); err != nil {
			return err
		}
	}
	return s.absolute()
}

// completeAccount fills in the one account there is when none are configured.
func (s *settings) completeAccount() error {
	if s.User == "" {
		me, err := user.Current()
		if err != nil {
			return fmt.Errorf("cannot tell who you are: %w; name the account with %s", err, s.places.by("user"))
		}
		s.User = me.Username
	}
	if s.AuthorizedKeysFile == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			return fmt.Errorf("no authorized keys: %w; name the file with --authorized-keys", err)
		}
		s.AuthorizedKeysFile = filepath.Join(home, ".ssh", "authorized_keys")
	}
	return nil
}

// stateFolder is where the XDG Base Directory Specification has a program keep
// what it must not lose. A relative path there is to be ignored.
func stateFolder() (string, error) {
	if state := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(state) {
		return filepath.Join(state, "shelf"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil || home == "" {
		return "", errors.New("no place for the host key: neither XDG_STATE_HOME nor HOME is set; name a directory with --state")
	}
	return filepath.Join(home, ".local", "state", "shelf"), nil
}

// paths are all files and folders that the settings name.
func (s *settings) paths() []*string {
	return []*string{&s.Library, &s.State, &s.AuthorizedKeysFile, &s.TrustedUserCAKeys, &s.RevokedKeys, &s.AuditLog}
}

// eachPath changes every path that is set.
func (s *settings) eachPath(change func(string) (string, error)) (err error) {
	apply := func(path *string) {
		if *path != "" && err == nil {
			*path, err = change(*path)
		}
	}
	for _, path := range s.paths() {
		apply(path)
	}
	for name, l := range s.Libraries {
		apply(&l.Path)
		s.Libraries[name] = l
	}
	for name, a := range s.Accounts {
		apply(&a.AuthorizedKeysFile)
		s.Accounts[name] = a
	}
	return err
}

// absolute makes paths say the same in messages as to the person who reads them.
func (s *settings) absolute() error {
	s.givenKeys = s.AuthorizedKeysFile
	return s.eachPath(filepath.Abs)
}

func (s settings) limits() sshd.Limits {
	return sshd.Limits{
		LoginGraceTime:        s.LoginGraceTime.Duration,
		MaxAuthTries:          s.MaxAuthTries.n,
		MaxStartups:           s.MaxStartups.n,
		MaxConnections:        s.MaxConnections.n,
		MaxSessions:           s.MaxSessions.n,
		PerSourceMaxStartups:  int(s.PerSourceMaxStartups),
		PerSourceNetBlockSize: sshd.NetBlockSize(s.PerSourceNetBlockSize),
		Penalties:             s.PerSourcePenalties.penalties(s.PerSourcePenaltyExemptList),
		ExemptProbes:          prefixes(s.ExemptProbes),
		ProxyProtocol:         prefixes(s.ProxyProtocol),
		ClientAliveInterval:   s.ClientAliveInterval.Duration,
		ClientAliveCountMax:   s.ClientAliveCountMax.n,
	}
}
