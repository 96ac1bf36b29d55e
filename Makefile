# make run    serve ./library on this machine
# make test   every test, with the race detector
#
# All else is for those who work on Shelf; CONTRIBUTING.md says more.

.PHONY: build run test check licences vulncheck bench fuzz seaweedfs torture beside dist clean

PORT     ?= 2222
FUZZTIME ?= 10s

STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2

GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNDB ?= v0.0.0-20261105234957-e22db6528018

# The race detector needs a C compiler; Go says whether there is one.
RACE := $(if $(filter 1,$(shell go env CGO_ENABLED)),-race)

# What --version prints: the tag or the commit, and whether there are changes since.
# Without git it is empty, and the programs say that they do not know.
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null)

build:
	CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags '-X main.commit=$(VERSION)' -o bin/ ./cmd/shelfd ./cmd/shelf

# Who has the usual ed25519 key logs in with that; for others a pair is made
# that is good for nothing but this.
MINE := $(HOME)/.ssh/id_ed25519
KEY  := $(if $(and $(wildcard $(MINE)),$(wildcard $(MINE).pub)),$(MINE),.shelf-demo/id_ed25519)

run: build library $(KEY).pub
	@exec ./bin/shelfd serve --listen 127.0.0.1:$(PORT) --authorized-keys $(KEY).pub

library:
	mkdir library
	echo 'This file lies in the library. Replace it, or put others beside it.' > library/welcome.txt

.shelf-demo/id_ed25519.pub: | build
	@mkdir -p -m 700 .shelf-demo
	@./bin/shelfd keygen .shelf-demo/id_ed25519

test:
	go test $(RACE) -timeout 30m ./...

check:
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "not gofmt-ed: $$unformatted"; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...
	GOOS=linux go build ./...
	GOOS=darwin go build ./...
	GOOS=freebsd go build ./...
	GOOS=windows go build -o /dev/null ./cmd/shelf
	go mod tidy -diff
	go mod verify
	@$(MAKE) --no-print-directory licences
	@$(MAKE) --no-print-directory vulncheck

# Has each module in the programs a licence that we take, as docs/dependencies.md says?
licences:
	go test $(RACE) -count=1 -run '^TestDependenciesAreDocumented$$' ./tests

# Do the programs call anything with a known weakness? The database is a Go module,
# too. One in Go's own library is shown, and fails nothing: it takes another Go.
vulncheck:
	@set -e; dir=$$(go mod download -json golang.org/x/vulndb@$(VULNDB) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); \
	db=$$(mktemp -d); trap 'rm -rf "$$db"' EXIT; \
	go run golang.org/x/vulndb/cmd/indexdb@$(VULNDB) -vulns "$$dir/data/osv" -out "$$db"; \
	status=0; found=$$(go run $(GOVULNCHECK) -db "file://$$db" ./cmd/...) || status=$$?; \
	echo "$$found" | grep -vE '^ +#|Example traces'; \
	case "$$found" in *' Module: '*) exit 1 ;; esac; \
	case "$$found" in *'=== Symbol Results ==='* | *'No vulnerabilities found'*) ;; *) exit $$((status + 1)) ;; esac

# Ratios to the other servers that are installed; RCLONE=rclone adds that one,
# BEFORE=path/to/shelfd an older shelfd.
bench:
	go test -run '^$$' -bench . -benchmem ./sshd/sftp ./tests
	go run ./tests/bench

# Each fuzz target in turn, FUZZTIME each. Go before 1.27 now and then reports the
# end of that time as a failure of the target (golang/go#75804): "context deadline
# exceeded" alone below its name, where a failing input would have been told.
fuzz:
	@set -e; log=$$(mktemp); trap 'rm -f "$$log"' EXIT; \
	targets=$$(grep -roE --include='*_test.go' '^func Fuzz[A-Za-z0-9_]+' .); \
	echo "$$targets" | while IFS=: read -r file func; do \
		{ go test -run '^$$' -fuzz "^$${func#func }$$" -fuzztime $(FUZZTIME) -fuzzminimizetime 20x "$$(dirname "$$file")" \
			|| echo failed; } 2>&1 | tee "$$log"; \
		if tail -n 1 "$$log" | grep -qx failed; then \
			grep -A 1 '^--- FAIL:' "$$log" | grep -qx ' *context deadline exceeded' || exit 1; \
			echo "$${func#func }: its time was over, and no input had failed"; \
		fi; \
	done

# The tests of a library in a bucket on another store. Its module replaces one that it
# needs, so that go install will not do: it is built in the folder of the module.
SEAWEEDFS = v0.0.0-20261109003541-7506e5f91cd6

seaweedfs:
	@set -e; bin=$$(go env GOPATH)/bin; \
	dir=$$(go mod download -json github.com/seaweedfs/seaweedfs@$(SEAWEEDFS) | sed -n 's/.*"Dir": "\(.*\)".*/\1/p'); \
	test -x "$$bin/weed" || go build -C "$$dir" -mod=mod -ldflags='-s -w' -o "$$bin/weed" ./weed; \
	PATH=$$PATH:$$bin go test -v -run TestSeaweedFS -timeout 30m ./vfs/bucket

# The long form of the end-to-end tests.
torture:
	go test $(RACE) -v -timeout 4h ./tests ./vfs/bucket -torture

# The end-to-end tests once more, with a second server on the folders of each.
beside:
	go test $(RACE) -v -timeout 2h ./tests -beside

# What people install, in the folder dist: archives, packages, an image, and their
# digests. SIGN=~/.ssh/release_key signs these. contrib/release says more.
dist:
	go run ./contrib/release $(if $(SIGN),-sign $(SIGN))

# Leaves ./library and .shelf-demo alone: what is in them is yours.
clean:
	rm -rf bin dist
