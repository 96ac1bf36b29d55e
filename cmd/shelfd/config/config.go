// Package config turns the configuration file and the flags of shelfd into
// values. It knows what can be set, what counts when nothing is said, and at
// which line and column each setting stands. It opens the configuration file
// and nothing else: no key file, no library.
//
// The way in is [Load], which makes [Settings]:
//
//	config.go    Settings: every setting, declared once
//	describe.go  what each setting is, for help, manuals and documents
//	defaults.go  what counts when nothing is said
//	load.go      the file and the flags, one over the other
//	flags.go     the settings that have a flag
//	paths.go     paths that start from the file's folder
//	tables.go    libraries and accounts, with nothing left unsaid
//	buckets.go   libraries in buckets
//	gate.go      what may be uploaded: names, and who judges content
//	mistakes.go  what is wrong in the file, with line, column and example
//	forms.go     how each kind of value is written
//	places.go    where in the file each setting stands
//	nearest.go   which name may have been meant
//	manual.go    the manual page of all settings
//	show.go      the settings as a file, without secrets
//	values.go    durations, sizes and counts
//	words.go     values that are one of a few words
//	modes.go     modes of files and directories
//	retention.go how long files stay, and whether a library is held
//	audit.go     those of the audit log
//	networks.go  addresses and networks
//	deliver.go   who is told of events
//
// To add a setting, add a field to [Settings], [Library], [Account],
// [FileAccounts], [AccountLimits], [Penalties] or [Deliver]. Tests then ask for it in contrib/shelfd.toml.
package config

import "time"

// Settings are what can be set. Names are those of sshd_config(5) where it has
// them. Each field declares its setting, in these tags:
//
//	toml     its name in the file
//	default  its value when nothing is said, as text
//	unset    in words, what counts when it is not set and has no default
//	flag     its flag, without dashes
//	arg      the word of doc that the flag's argument stands for
//	doc      what it is
//
// [All] walks them.
type Settings struct {
	Listen              string    `toml:"listen" default:":2222" flag:"listen" arg:"address" doc:"listen on address:port"`
	Library             string    `toml:"library" unset:"library" flag:"library" arg:"directory" doc:"serve the files in this directory"`
	State               string    `toml:"state" unset:"$XDG_STATE_HOME/shelf" flag:"state" arg:"directory" doc:"keep host keys and digests in this directory"`
	User                string    `toml:"user" unset:"who starts the server" flag:"user" arg:"name" doc:"name of the account that may log in"`
	AuthorizedKeysFile  string    `toml:"authorized_keys_file" unset:"~/.ssh/authorized_keys" flag:"authorized-keys" arg:"file" doc:"file of the public keys that may log in"`
	LogFormat           LogFormat `toml:"log_format" default:"text" flag:"log-format" arg:"text" doc:"write the log as text or json"`
	LogLevel            LogLevel  `toml:"log_level" default:"info" flag:"log-level" arg:"level" doc:"write messages of this level and above: debug, info, warn, error"`
	Grace               Duration  `toml:"grace" default:"10s" flag:"grace" arg:"time" doc:"time for transfers to end when the server stops"`
	LoginGraceTime      Duration  `toml:"login_grace_time" default:"30s" flag:"login-grace-time" arg:"time" doc:"time for a client to log in; 0 is no limit"`
	MaxAuthTries        Count     `toml:"max_auth_tries" default:"6" doc:"failed tries that end a connection"`
	MaxStartups         Startups  `toml:"max_startups" default:"500" doc:"connections not logged in yet; one more takes the place of the one whose network owes most; of start:rate:full the last counts"`
	MaxConnections      Count     `toml:"max_connections" default:"1000" doc:"connections that are logged in"`
	MaxSessions         Count     `toml:"max_sessions" default:"10" doc:"channels open at once in a connection"`
	MaxSessionTime      Duration  `toml:"max_session_time" default:"0s" doc:"how long a connection may last; 0 is no limit"`
	ClientAliveInterval Duration  `toml:"client_alive_interval" default:"15s" doc:"ask a client that is silent for so long whether it is there; 0 never asks"`
	ClientAliveCountMax Count     `toml:"client_alive_count_max" default:"3" doc:"end a connection after so many questions without an answer"`
	MemoryLimit         Size      `toml:"memory_limit" default:"256MiB" flag:"memory-limit" arg:"size" doc:"try to stay within this size of memory"`

	Durability         Durability `toml:"durability" default:"fsync" doc:"when an upload is acknowledged: with fsync once it is on disk, with none at once"`
	Quota              Size       `toml:"quota" default:"0" doc:"the most that files, uploads and partials of a library may take; 0 is no quota"`
	AccountQuota       Size       `toml:"account_quota" default:"0" doc:"the most that files and uploads of one account may take in a library; 0 is no quota"`
	MaxFiles           uint32     `toml:"max_files" default:"0" doc:"the most files, uploads and partials that a library may have; 0 is no limit"`
	MinFreeSpace       Size       `toml:"min_free_space" default:"0" doc:"what uploads leave free on the disk"`
	FileMode           FileMode   `toml:"file_mode" default:"client" doc:"mode of all files that are published; client is as the client asks, less the umask"`
	AllowHardLinks     bool       `toml:"allow_hard_links" default:"false" doc:"whether to serve files of other users that have a second name (hard links)"`
	MaxFileSize        Size       `toml:"max_file_size" default:"0" doc:"the largest file that can be uploaded; 0 is no limit"`
	KeepVersions       uint16     `toml:"keep_versions" default:"0" doc:"keep so many versions of each file that was replaced or removed; the oldest goes first; 0 keeps no new ones"`
	KeepVersionsFor    Age        `toml:"keep_versions_for" default:"0" doc:"keep them for so long; 0 is no limit"`
	ExpireAfter        Age        `toml:"expire_after" default:"0" doc:"remove files that were published or changed so long ago; 0 removes none"`
	Hold               Hold       `toml:"hold" default:"false" doc:"whether, or until which date, nothing in a library can be changed or removed; new files may come"`
	MaxOpenFiles       Count      `toml:"max_open_files" default:"256" doc:"files that a session may have open at once"`
	PartialMinSize     Size       `toml:"partial_min_size" default:"1MiB" doc:"keep the beginning of an upload that was cut from this size on"`
	PartialMaxAge      Duration   `toml:"partial_max_age" default:"168h" doc:"keep partials for so long"`
	PartialsPerAccount uint16     `toml:"partials_per_account" default:"32" doc:"keep so many partials of an account; the oldest goes first; 0 keeps none"`

	TrustedUserCAKeys string         `toml:"trusted_user_ca_keys" unset:"none" doc:"file of public keys whose user certificates may log in"`
	RevokedKeys       string         `toml:"revoked_keys" unset:"none" doc:"file of public keys or fingerprints that may not log in"`
	AuditLog          string         `toml:"audit_log" unset:"events go to the log" flag:"audit-log" arg:"file" doc:"file for events, a line of JSON each"`
	AuditOnFailure    AuditOnFailure `toml:"audit_on_failure" default:"continue" doc:"when audit_log cannot be written: continue, or refuse logins and changes"`

	AuditMode    AuditMode   `toml:"audit_mode" default:"0600" doc:"mode of audit_log when it is made; others than the user of the server may read it, and no more"`
	AuditMaxSize Size        `toml:"audit_max_size" default:"0" doc:"begin a new audit_log when it has this size, and rename the old one; 0 never does"`
	AuditKeep    uint16      `toml:"audit_keep" default:"0" doc:"how many old files stay that audit_max_size has renamed; 0 keeps all"`
	AuditSHA256  AuditSHA256 `toml:"audit_sha256" default:"when known" doc:"the digest of an upload in audit_log: when known from the order of its bytes, or always, reading the file again where it must"`

	AdminSocket     string   `toml:"admin_socket" unset:"admin.sock in the state folder" flag:"admin-socket" arg:"file" doc:"answer operators on this file, a unix socket"`
	AdminListen     string   `toml:"admin_listen" unset:"off" doc:"answer metrics, health and the page on this address:port; without an address on this machine alone"`
	AdminHosts      []string `toml:"admin_hosts" unset:"none" doc:"names, besides addresses and localhost, by which admin_listen may be asked"`
	MetricsAccounts uint16   `toml:"metrics_accounts" default:"0" doc:"accounts that have metrics of their own; 0 is none"`

	FIPS bool `toml:"fips" default:"false" doc:"whether only algorithms that FIPS 140-3 allows are used"`

	Sandbox   Sandbox `toml:"sandbox" default:"auto" doc:"Landlock and seccomp: auto uses as much as the system has, require does not serve without, off uses none"`
	AllowRoot bool    `toml:"allow_root" default:"false" doc:"whether root may serve a library that belongs to another user"`

	PerSourceMaxStartups       uint16       `toml:"per_source_max_startups" default:"0" doc:"connections of one source that are not logged in yet; 0 is no limit"`
	PerSourceNetBlockSize      NetBlockSize `toml:"per_source_net_block_size" default:"32:64" doc:"how many bits of an IPv4 and of an IPv6 address make one source"`
	PerSourcePenalties         Penalties    `toml:"per_source_penalties"`
	PerSourcePenaltyExemptList []Network    `toml:"per_source_penalty_exempt_list" default:"[\"127.0.0.0/8\", \"::1/128\"]" doc:"addresses and networks without penalties"`
	ExemptProbes               []Network    `toml:"exempt_probes" unset:"none" doc:"addresses and networks that may connect and leave without a line in the log"`
	ProxyProtocol              []Network    `toml:"proxy_protocol" unset:"none" doc:"addresses and networks of proxies that say for whom they connect"`

	AccountLimits AccountLimits `toml:"account_limits"`

	Spool         string `toml:"spool" unset:"the directory spool in state" doc:"directory where uploads to buckets wait"`
	SpoolMax      Size   `toml:"spool_max" default:"0" doc:"the most that uploads to buckets may take there; 0 is no limit"`
	PartsInFlight Count  `toml:"parts_in_flight" default:"8" doc:"parts of uploads that are sent to buckets at a time"`

	LibraryRoots []string `toml:"library_roots" unset:"none" doc:"directories below which a reload may add libraries"`

	Libraries map[string]Library `toml:"libraries"`
	Accounts  map[string]Account `toml:"accounts"`

	FileAccounts FileAccounts `toml:"file_accounts"`

	DeliverListen string    `toml:"deliver_listen" unset:"off" doc:"where shelfd deliver answers metrics and health, address:port; without an address on this machine alone"`
	Deliver       []Deliver `toml:"deliver,omitempty"`

	File      string `toml:"-"` // the configuration file; "" is none
	GivenKeys string `toml:"-"` // AuthorizedKeysFile as it was given, for people to paste

	places places
	again  func() (Settings, error) // reads them again; nil is that they never change
}

// Library is a table [libraries.NAME]. What it leaves out is as at the top of
// the file.
type Library struct {
	Path         string      `toml:"path" doc:"the directory to serve, with %u a directory for each account; it or bucket must be set"`
	Bucket       string      `toml:"bucket" unset:"none" doc:"the bucket to serve, as s3://NAME or s3://NAME/PREFIX, with %u in the prefix one for each account"`
	FolderMode   *FolderMode `toml:"folder_mode" unset:"0750" doc:"mode of the directories that are made for %u"`
	FileMode     *FileMode   `toml:"file_mode" unset:"as at the top" doc:"file_mode of this library"`
	Durability   *Durability `toml:"durability" unset:"as at the top" doc:"durability of this library"`
	Quota        *Size       `toml:"quota" unset:"as at the top" doc:"quota of this library"`
	AccountQuota *Size       `toml:"account_quota" unset:"as at the top" doc:"account_quota of this library"`
	MaxFiles     *uint32     `toml:"max_files" unset:"as at the top" doc:"max_files of this library"`
	MinFreeSpace *Size       `toml:"min_free_space" unset:"as at the top" doc:"min_free_space of this library"`
	MaxFileSize  *Size       `toml:"max_file_size" unset:"as at the top" doc:"max_file_size of this library"`

	AllowHardLinks  *bool   `toml:"allow_hard_links" unset:"as at the top" doc:"allow_hard_links of this library"`
	KeepVersions    *uint16 `toml:"keep_versions" unset:"as at the top" doc:"keep_versions of this library"`
	KeepVersionsFor *Age    `toml:"keep_versions_for" unset:"as at the top" doc:"keep_versions_for of this library"`
	ExpireAfter     *Age    `toml:"expire_after" unset:"as at the top" doc:"expire_after of this library"`
	Hold            *Hold   `toml:"hold" unset:"as at the top" doc:"hold of this library"`

	AllowedNames []string `toml:"allowed_names,omitempty" unset:"all" doc:"patterns of the names that files may get, as *.pdf; case does not matter"`
	RefusedNames []string `toml:"refused_names,omitempty" unset:"none" doc:"patterns of names that files may not get, as *.exe"`

	Gate Gate `toml:"gate,omitempty"`

	Endpoint        string   `toml:"endpoint,omitempty" unset:"that of AWS for the region" doc:"URL of the store of bucket"`
	Region          string   `toml:"region,omitempty" unset:"as in the AWS configuration, or us-east-1" doc:"region of bucket"`
	PathStyle       bool     `toml:"path_style,omitempty" default:"false" doc:"whether the name of bucket is in the path, and not before the name of the host"`
	EndpointCA      string   `toml:"endpoint_ca,omitempty" unset:"the authorities of the system" doc:"file of certificates that endpoint must have one of"`
	CredentialsFile string   `toml:"credentials_file,omitempty" unset:"the usual chain of AWS" doc:"file of credentials for bucket, in the form of ~/.aws/credentials"`
	Profile         string   `toml:"credentials_profile,omitempty" unset:"default" doc:"section of the file of credentials"`
	PartSize        Size     `toml:"part_size,omitempty" default:"0" doc:"size of the parts that uploads to bucket are sent in; 0 has them grow from 8 MiB"`
	Encryption      string   `toml:"server_side_encryption,omitempty" unset:"as the bucket says" doc:"the header of that name for what is written: AES256 or aws:kms"`
	KMSKey          string   `toml:"kms_key,omitempty" unset:"as the bucket says" doc:"id of the key for aws:kms"`
	AllowDegraded   []string `toml:"allow_degraded,omitempty" unset:"none" doc:"what the store of bucket may lack, by the names that shelfd check prints"`
}

// Account is a table [accounts.NAME].
type Account struct {
	Library               string       `toml:"library,omitempty" unset:"the only library, or the one called default" doc:"name of its library, if it has one"`
	Libraries             Permitted    `toml:"libraries,omitempty" unset:"none" doc:"its libraries, if it has several, as folders of /, each with what it may do there"`
	StartDirectory        string       `toml:"start_directory,omitempty" unset:"/" doc:"the folder that it starts in, if it has several libraries"`
	AuthorizedKeysFile    string       `toml:"authorized_keys_file,omitempty" unset:"as at the top, with its name for %u" doc:"file of its public keys"`
	AuthorizedKeys        []string     `toml:"authorized_keys,omitempty" unset:"none" doc:"its public keys, as lines of authorized_keys"`
	AuthorizedPrincipals  []string     `toml:"authorized_principals,omitempty" unset:"its name" doc:"names that its certificates may be for"`
	PasswordHash          string       `toml:"password_hash,omitempty" unset:"no password" doc:"hash of its password, from shelfd passwd"`
	TOTPSecret            string       `toml:"totp_secret,omitempty" unset:"no codes" doc:"secret of its one-time codes, from shelfd totp"`
	AuthenticationMethods []string     `toml:"authentication_methods,omitempty" unset:"what follows from its keys, password and codes" doc:"methods that must succeed one after the other, with commas; one element of the list is enough"`
	Permissions           []Permission `toml:"permissions,omitempty" unset:"editor" doc:"what it may do; several add up"`
	From                  []string     `toml:"from,omitempty" unset:"anywhere" doc:"addresses and networks that it may log in from; ! before one forbids it"`
	Expires               *time.Time   `toml:"expires,omitempty" unset:"never" doc:"when it ends"`
	MaxSessions           uint16       `toml:"max_sessions,omitempty" default:"0" doc:"its connections at a time; 0 is as in account_limits"`
	MaxSessionTime        *Duration    `toml:"max_session_time,omitempty" unset:"as at the top" doc:"how long one of its connections may last"`
	MaxFileSize           *Size        `toml:"max_file_size,omitempty" unset:"as its library" doc:"the largest file that it can upload"`
	AllowedNames          []string     `toml:"allowed_names,omitempty" unset:"as its library" doc:"patterns of the names that its files may get; those of the library hold, too"`
	RefusedNames          []string     `toml:"refused_names,omitempty" unset:"as its library" doc:"patterns of names that its files may not get; those of the library hold, too"`
	MaxUploadRate         Size         `toml:"max_upload_rate,omitempty" default:"0" doc:"bytes a second for all its uploads; 0 is no limit"`
	MaxDownloadRate       Size         `toml:"max_download_rate,omitempty" default:"0" doc:"bytes a second for all its downloads; 0 is no limit"`
}

// FileAccounts are the accounts that key files make.
type FileAccounts struct {
	Library        string       `toml:"library,omitempty" unset:"the only library, or the one called default" doc:"name of the library of accounts that key files make"`
	Libraries      Permitted    `toml:"libraries,omitempty" unset:"none" doc:"their libraries, if they have several, as folders of /"`
	StartDirectory string       `toml:"start_directory,omitempty" unset:"/" doc:"the folder that they start in"`
	Permissions    []Permission `toml:"permissions,omitempty" unset:"editor" doc:"what accounts that key files make may do"`
	WithoutTable   []string     `toml:"without_table,omitempty" unset:"none" doc:"accounts whose tables are gone and that may log in by their key files alone"`
}

// AccountLimits are what one account may have on all its connections together.
type AccountLimits struct {
	Connections Count `toml:"connections" default:"500" doc:"connections of one account"`
	Channels    Count `toml:"channels" default:"500" doc:"channels of one account"`
	OpenFiles   Count `toml:"open_files" default:"2048" doc:"files that one account may have open"`
	Memory      Size  `toml:"memory" default:"64MiB" doc:"memory that clients of one account can make the server hold, for what they send faster than it is handled, and for long answers and commands"`
}

// Penalties are those of PerSourcePenalties in sshd_config(5).
type Penalties struct {
	AuthFail      Duration `toml:"auth_fail" default:"5s" doc:"penalty for each try to log in that failed"`
	NoAuth        Duration `toml:"no_auth" default:"0s" doc:"penalty for leaving without a try to log in"`
	GraceExceeded Duration `toml:"grace_exceeded" default:"0s" doc:"penalty for not having logged in in time"`
	Min           Duration `toml:"min" default:"15s" doc:"penalties count from this sum on"`
	Max           Duration `toml:"max" default:"10m" doc:"the most that penalties can add up to"`
	MaxSources    uint32   `toml:"max_sources" default:"65536" doc:"sources that are remembered"`
}
