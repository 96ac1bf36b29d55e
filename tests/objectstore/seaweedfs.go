package objectstore

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// SeaweedFS is what must be installed for StartSeaweedFS.
const SeaweedFS = "weed"

// StartSeaweedFS starts another store, with a bucket, in a folder that is empty.
func StartSeaweedFS(folder string) (*Store, error) {
	identities := filepath.Join(folder, "identities.json")
	text := fmt.Sprintf(`{"identities": [{"name": "tests", "credentials": [{"accessKey": %q, "secretKey": %q}], "actions": ["Admin"]}]}`,
		AccessKey, SecretKey)
	if err := os.WriteFile(identities, []byte(text), 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"mini", "-dir=" + folder, "-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-bucket=" + Bucket, "-s3.config=" + identities,
		"-webdav=false", "-admin.ui=false", "-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
		"-s3.localSocket=" + filepath.Join(folder, "s3.sock"), "-filer.localSocket=" + filepath.Join(folder, "filer.sock"),
	}
	s := &Store{program: SeaweedFS}
	for _, port := range []string{"master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "filer.port", "filer.port.grpc", "s3.port.grpc", "s3.port"} {
		addr, err := freeAddress()
		if err != nil {
			return nil, err
		}
		s.addr = addr // of S3 in the end
		args = append(args, "-"+port+"="+addr[strings.LastIndexByte(addr, ':')+1:])
	}
	s.URL, s.args = "http://"+s.addr, args
	return s, s.Restart()
}
