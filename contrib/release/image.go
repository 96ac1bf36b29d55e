package main

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"time"
)

// imageUser is who runs the server in a container, by number: Kubernetes refuses
// a name where it must not be root.
const imageUser = "65532:65532"

// The image is a tar of an OCI image layout (image-spec v1.1), which podman, skopeo,
// docker and containerd read. It has the programs and empty folders, and no base
// image: the programs are static, and there is no shell to be had.

type descriptor struct {
	MediaType   string            `json:"mediaType"`
	Digest      string            `json:"digest"`
	Size        int64             `json:"size"`
	Platform    *platform         `json:"platform,omitempty"`
	Annotations map[string]string `json:"annotations,omitempty"`
}

type platform struct {
	Architecture string `json:"architecture"`
	OS           string `json:"os"`
}

// manifest is that of an image, or of an index of images.
type manifest struct {
	SchemaVersion int          `json:"schemaVersion"`
	MediaType     string       `json:"mediaType"`
	Config        *descriptor  `json:"config,omitempty"`
	Layers        []descriptor `json:"layers,omitempty"`
	Manifests     []descriptor `json:"manifests,omitempty"`
}

type imageConfig struct {
	platform
	Created time.Time     `json:"created"`
	Config  containerInit `json:"config"`
	RootFS  rootFS        `json:"rootfs"`
}

type containerInit struct {
	User         string              `json:"User"`
	ExposedPorts map[string]struct{} `json:"ExposedPorts"`
	Env          []string            `json:"Env"`
	Entrypoint   []string            `json:"Entrypoint"`
	Cmd          []string            `json:"Cmd"`
	Volumes      map[string]struct{} `json:"Volumes"`
	Labels       map[string]string   `json:"Labels"`
	StopSignal   string              `json:"StopSignal"`
	Healthcheck  *healthcheck        `json:"Healthcheck,omitempty"` // Docker's; others leave it alone
}

type healthcheck struct {
	Test     []string
	Interval time.Duration // in nanoseconds, as Docker has it
}

type rootFS struct {
	Type    string   `json:"type"`
	DiffIDs []string `json:"diff_ids"`
}

// layout is an image layout in the making: a tar of blobs, named by their digests.
type layout struct {
	tar  *tar.Writer
	time time.Time
	has  map[string]bool
}

// packImage writes one image for all kinds of Linux.
func (r *release) packImage(context.Context) error {
	if len(r.linux()) == 0 {
		return nil
	}
	return writeTo(filepath.Join(r.out, "shelf_"+r.name+"_oci.tar"), func(w io.Writer) error {
		l := &layout{tar.NewWriter(w), r.time, make(map[string]bool)}
		all := manifest{SchemaVersion: 2, MediaType: "application/vnd.oci.image.index.v1+json"}
		for _, s := range r.linux() {
			one, err := r.image(l, s)
			if err != nil {
				return err
			}
			all.Manifests = append(all.Manifests, one)
		}
		index, err := l.add("application/vnd.oci.image.index.v1+json", all)
		if err != nil {
			return err
		}
		name := "localhost/shelf:" + strings.ReplaceAll(r.name, "+", "-") // no tag has a plus
		index.Annotations = map[string]string{"org.opencontainers.image.ref.name": name, "io.containerd.image.name": name}
		top := manifest{SchemaVersion: 2, MediaType: all.MediaType, Manifests: []descriptor{index}}
		if len(all.Manifests) == 1 { // not every tool follows an index in an index
			top.Manifests = []descriptor{all.Manifests[0]}
			top.Manifests[0].Annotations = index.Annotations
		}
		text, err := json.Marshal(top)
		return errors.Join(err, l.write("index.json", text), l.write("oci-layout", []byte(`{"imageLayoutVersion":"1.0.0"}`)), l.tar.Close())
	})
}

// image adds the image for one system.
func (r *release) image(l *layout, s system) (descriptor, error) {
	var plain, packed bytes.Buffer
	files := r.imageFiles(s)
	if err := errors.Join(writeTar(&plain, files, r.time), writeTarGz(&packed, files, r.time)); err != nil {
		return descriptor{}, err
	}
	layer, err := l.addBlob("application/vnd.oci.image.layer.v1.tar+gzip", packed.Bytes())
	if err != nil {
		return descriptor{}, err
	}
	built := platform{s.arch, s.os}
	config, err := l.add("application/vnd.oci.image.config.v1+json", imageConfig{built, r.time, r.containerInit(), rootFS{"layers", []string{digest(plain.Bytes())}}})
	if err != nil {
		return descriptor{}, err
	}
	m, err := l.add("application/vnd.oci.image.manifest.v1+json", manifest{
		SchemaVersion: 2, MediaType: "application/vnd.oci.image.manifest.v1+json", Config: &config, Layers: []descriptor{layer}})
	m.Platform = &built
	return m, err
}

// imageFiles are those of an image for a system.
func (r *release) imageFiles(s system) (files []file) {
	for _, folder := range []string{"config", "etc", "library", "state", "tmp", "usr", "usr/bin", "usr/share", "usr/share/shelf"} {
		files = append(files, file{name: folder, mode: 0o755})
	}
	return append(files,
		file{"etc/passwd", "contrib/package/passwd", 0o644},
		file{"etc/group", "contrib/package/group", 0o644},
		file{"usr/bin/shelfd", r.program(s, "shelfd"), 0o755},
		file{"usr/bin/shelf", r.program(s, "shelf"), 0o755},
		file{"usr/share/shelf/LICENSE", "LICENSE", 0o644})
}

func (r *release) containerInit() containerInit {
	none := struct{}{}
	return containerInit{
		User:         imageUser,
		ExposedPorts: map[string]struct{}{"2222/tcp": none},
		Env:          []string{"PATH=/usr/bin", "HOME=/state", "XDG_STATE_HOME=/state"},
		Entrypoint:   []string{"/usr/bin/shelfd"},
		Cmd:          []string{"serve", "--config", "/config/shelfd.toml", "--state", "/state"},
		Volumes:      map[string]struct{}{"/config": none, "/state": none, "/library": none},
		Labels:       map[string]string{"org.opencontainers.image.title": "shelf", "org.opencontainers.image.version": r.name, "org.opencontainers.image.licenses": "Apache-2.0"},
		StopSignal:   "SIGTERM",
		Healthcheck:  &healthcheck{[]string{"CMD", "/usr/bin/shelfd", "health", "--state", "/state"}, 30 * time.Second},
	}
}

// add adds a blob of JSON.
func (l *layout) add(mediaType string, value any) (descriptor, error) {
	text, err := json.Marshal(value)
	if err != nil {
		return descriptor{}, err
	}
	return l.addBlob(mediaType, text)
}

func (l *layout) addBlob(mediaType string, content []byte) (descriptor, error) {
	d := descriptor{MediaType: mediaType, Digest: digest(content), Size: int64(len(content))}
	if l.has[d.Digest] {
		return d, nil
	}
	l.has[d.Digest] = true
	return d, l.write("blobs/sha256/"+d.Digest[len("sha256:"):], content)
}

func (l *layout) write(name string, content []byte) error {
	err := l.tar.WriteHeader(&tar.Header{Name: name, Mode: 0o644, Size: int64(len(content)), ModTime: l.time, Typeflag: tar.TypeReg})
	if err != nil {
		return err
	}
	_, err = l.tar.Write(content)
	return err
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return "sha256:" + hex.EncodeToString(sum[:])
}
