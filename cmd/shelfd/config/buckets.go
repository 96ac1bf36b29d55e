package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// Where is where a library lies: the path of its directory, or the URL of its bucket.
func (l Library) Where() string {
	if l.Bucket != "" {
		return l.Bucket
	}
	return l.Path
}

// bucketScheme starts the URL of a bucket.
const bucketScheme = "s3://"

// SplitBucket is the name of a bucket and the prefix that keys have there.
func SplitBucket(url string) (name, prefix string) {
	name, prefix, _ = strings.Cut(strings.TrimPrefix(url, bucketScheme), "/")
	return name, strings.Trim(prefix, "/")
}

// HasBuckets tells whether any library lies in a bucket.
func (s Settings) HasBuckets() bool {
	for _, l := range s.Libraries {
		if l.Bucket != "" {
			return true
		}
	}
	return false
}

// SpoolFolder is where uploads to buckets wait.
func (s Settings) SpoolFolder() string {
	if s.Spool != "" {
		return s.Spool
	}
	return filepath.Join(s.State, "spool")
}

// minPart is the least that stores take as a part, in bytes.
const minPart = 5 << 20

// checkBucket refuses a bucket that can't be one, and settings of folders for a bucket
// or the other way round.
func (s Settings) checkBucket(name string, l Library) error {
	within := "libraries." + name + "."
	if l.Bucket == "" {
		for setting, set := range map[string]bool{
			"endpoint": l.Endpoint != "", "region": l.Region != "", "path_style": l.PathStyle, "endpoint_ca": l.EndpointCA != "",
			"credentials_file": l.CredentialsFile != "", "credentials_profile": l.Profile != "", "part_size": l.PartSize.Bytes > 0,
			"server_side_encryption": l.Encryption != "", "kms_key": l.KMSKey != "", "allow_degraded": len(l.AllowDegraded) > 0,
		} {
			if set {
				return s.Mistake(within+setting, errors.New("it is for a library in a bucket; this one is in a directory"))
			}
		}
		return nil
	}
	if l.Path != "" {
		return s.Mistake(within+"path", errors.New("path and bucket cannot both be set; leave one out"))
	}
	bucket, _ := SplitBucket(l.Bucket)
	if !strings.HasPrefix(l.Bucket, bucketScheme) || bucket == "" || strings.Contains(bucket, "%") {
		return s.Mistake(within+"bucket", fmt.Errorf("%q names no bucket; write it as s3://NAME or s3://NAME/PREFIX", l.Bucket))
	}
	if l.PartSize.Bytes > 0 && l.PartSize.Bytes < minPart {
		return s.Mistake(within+"part_size", errors.New("stores take parts of 5MiB or more"))
	}
	all := s.AllLibraries()[name]
	for setting, set := range map[string]bool{
		"account_quota": all.AccountQuota.Bytes > 0, "min_free_space": all.MinFreeSpace.Bytes > 0,
		"allow_hard_links": l.AllowHardLinks != nil, "durability": l.Durability != nil, "folder_mode": l.FolderMode != nil,
		"file_mode": all.FileMode.FileMode != 0,
	} {
		if set {
			return s.Mistake(within+setting, errors.New("a library in a bucket can't keep to it; leave it out here, or set it to 0"))
		}
	}
	if all.KeepVersionsFor.Duration > 0 && *all.KeepVersions == 0 {
		return s.Mistake(within+"keep_versions_for", errors.New("without keep_versions a library in a bucket leaves old versions to the rules of the bucket; set keep_versions, too, or set this to 0"))
	}
	return nil
}
