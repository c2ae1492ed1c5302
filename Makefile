# HallEdge: the edge agent of a government service hall and its cloud.
# Each target does its own set-up (packaging/scripts/prepare.sh). Settings: DEMO_BASE_PORT, DEMO_KEEP (make run),
# FUZZTIME (make fuzz), SEEDS (make pictures), SOAK (make soak), VERSION (make packages).

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo development)
FUZZTIME ?= 5s
SEEDS ?= 1
SOAK ?= 1h
GO ?= go
TOOL = $(GO) tool -modfile=test/tools/go.mod
CONSOLE = cloud/internal/web/console
PAGES = agent/internal/web

# A Node that prepare.sh fetched comes before an old one of the system.
export PATH := $(CURDIR)/bin/node/node_modules/node/bin:$(PATH)

PROGRAMS = ./agent/cmd/hall-agent ./cloud/cmd/hall-cloud ./test/cmd/hall-sim
BUILD = GO='$(GO)' VERSION='$(VERSION)' packaging/scripts/build.sh

.PHONY: help run build test check unit journeys vm pictures soak bench lint fuzz arch packages sbom vulncheck reproducible sim console console-test ui ui-check caller clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: ## start the demo: the cloud, one simulated hall and its agent; Ctrl-C stops everything
	@packaging/scripts/prepare.sh run
	@$(MAKE) --no-print-directory build
	@exec bin/hall-sim demo

build: console ## build the three programs into bin/
	@mkdir -p bin
	$(BUILD) bin/ $(PROGRAMS)

test: ## run everything that must be green
	@packaging/scripts/prepare.sh test
	@$(MAKE) --no-print-directory check arch ui-check console console-test unit journeys

check: # form and suspicious code
	@echo "== gofmt, go vet"
	@files=$$(gofmt -l $$($(GO) list -f '{{.Dir}}' ./...)); [ -z "$$files" ] || { echo "not formatted:"; echo "$$files"; exit 1; }
	@$(GO) vet $(RACE) ./... # what the tests with the race detector compile anyway

# The race detector watches all code but what computes alone and shares nothing: SQLite's, translated from C, ciphers, codes and pictures. The
# tests take half the time so. A package that uses a generic type of sync/atomic must not stand here: the linker might take its unwatched copy
# of that type for all, and races would be seen where there are none.
COMPUTES = modernc.org/sqlite/lib github.com/emmansun/gmsm/internal/... github.com/emmansun/gmsm/sm3 github.com/emmansun/gmsm/sm4 \
	github.com/tjfoc/gmsm/sm2 github.com/tjfoc/gmsm/sm3 github.com/tjfoc/gmsm/sm4 github.com/makiuchi-d/gozxing/... image/... compress/...
RACE = -race $(foreach package,$(COMPUTES),-gcflags=$(package)=-race=false)

# The journeys start whole halls: they run after the rest, two packages of two halls each at once, the longest first.
JOURNEYS = ./test/browser/... ./test/crash/... ./test/e2e/... ./test/leak/...
# Most tests wait for a line, a page or a program: more of them at once than there are processors.
AT_ONCE_PACKAGES = 4
AT_ONCE_HALLS = 2
# What takes longest begins first.
LONGEST = ./test/bench ./drivers/sdtreader
# These draw photographs and random days by themselves, five times slower under the race detector and nothing for it to see.
ALONE = ./test/pictures ./agent/internal/queue

unit: # the Go tests of the packages but those of arch, with the race detector, in random order
	@echo "== go test"
	$(GO) test $(RACE) -shuffle=on -p $(AT_ONCE_PACKAGES) -timeout 15m $$($(GO) list $(LONGEST) ./... | grep -v -E '/test/(arch|e2e|browser|crash|leak|pictures)(/|$$)|/agent/internal/queue$$')
	$(GO) test -shuffle=on $(ALONE)

journeys: # the Go tests that run the real programs, built with the race detector
	@echo "== journeys"
	@mkdir -p bin/race
	$(GO) build $(RACE) -o bin/race/ $(PROGRAMS)
	HALLEDGE_BIN=$(CURDIR)/bin/race $(GO) test $(RACE) -shuffle=on -p $(AT_ONCE_HALLS) -parallel $(AT_ONCE_HALLS) -timeout 20m $(JOURNEYS)

arch: ## check who imports whom, sizes, and the words for people
	@echo "== architecture"
	$(GO) test -count=1 ./test/arch

# Their tag keeps these tests out of every other run: they load kernel modules and make devices.
vm: ## run the drivers against the kernel's own, in a virtual machine without KVM (USB, input, video, sound, udev)
	@packaging/scripts/prepare.sh vm
	$(GO) vet -tags vm ./test/vm/...
	CGO_ENABLED=0 $(GO) test -tags vm -c -o var/vm/guest.test ./test/vm
	$(GO) run ./test/vm/boot

pictures: ## read all hard photographs of codes, of each of SEEDS, and print what was read in what time (four minutes each)
	@packaging/scripts/prepare.sh test
	PICTURES="$(SEEDS)" $(GO) test -count=1 -v -timeout 1h ./test/pictures

soak: ## let a hall live through SOAK (1h) of devices that come, go and talk nonsense
	@packaging/scripts/prepare.sh test
	COMING_FOR=$(SOAK) $(GO) test -count=1 -v -timeout 0 -run TestDevicesComeAndGo ./test/e2e

bench: ## measure the programs beside the machine's own limits (twelve minutes; leave the machine alone meanwhile)
	@packaging/scripts/prepare.sh run
	@$(MAKE) --no-print-directory console
	@$(GO) run ./test/bench

lint: ## run the linters
	$(TOOL) golangci-lint run ./...
	@$(MAKE) --no-print-directory $(CONSOLE)/node_modules
	cd $(CONSOLE) && npm run lint

fuzz: ## fuzz every decoder for FUZZTIME (5s) each
	@grep -rl --include='*_test.go' '^func Fuzz' agent cloud drivers firmware-protocols test/fakes | sort | while read -r file; do \
	  for target in $$(sed -n 's/^func \(Fuzz[A-Za-z0-9_]*\)(.*/\1/p' "$$file"); do \
	    echo "== $$(dirname $$file) $$target"; \
	    $(GO) test -run '^$$' -fuzz "^$$target\$$" -fuzztime $(FUZZTIME) "./$$(dirname $$file)"; \
	  done; \
	done

packages: ## build the Debian package into dist/
	@packaging/scripts/prepare.sh packages
	@VERSION='$(VERSION)' packaging/scripts/packages.sh

sbom: ## list what the programs are made of, with licences, into dist/*.cdx.json (CycloneDX)
	@VERSION='$(VERSION)' packaging/scripts/sbom.sh dist

vulncheck: ## look for known vulnerabilities in what the programs call (GOVULNDB=file:///path where there is no network)
	@packaging/scripts/vulncheck.sh

reproducible: ## build hall-agent twice from nothing in two folders and compare the bytes (minutes)
	@packaging/scripts/reproducible.sh fresh

sim: ## build the simulator and show what it can do
	@mkdir -p bin
	$(BUILD) bin/ ./test/cmd/hall-sim
	@bin/hall-sim help

caller: ## build the hot-key helper of the clerks' PCs into bin/, for Linux and Windows
	@mkdir -p bin
	$(BUILD) bin/ ./agent/cmd/hall-caller
	GOOS=windows GOARCH=amd64 $(BUILD) bin/ ./agent/cmd/hall-caller

console: $(CONSOLE)/dist/www/index.html ## build the cloud's web console

$(CONSOLE)/node_modules: $(CONSOLE)/package-lock.json
	cd $(CONSOLE) && npm ci --no-audit --no-fund --loglevel=error
	@touch $@

$(CONSOLE)/dist/www/index.html: $(CONSOLE)/node_modules $(shell find $(CONSOLE) -path '*/node_modules' -prune -o -path '*/dist' -prune -o -type f -print)
	cd $(CONSOLE) && npm run build

console-test: $(CONSOLE)/node_modules # types and tests of the console
	@echo "== console"
	cd $(CONSOLE) && npm run check && npm test

ui: ## build the hall's pages into agent/internal/web/dist, which is committed
	$(GO) run ./$(PAGES)/ui/build

ui-check: # the committed pages are built from the committed sources
	@echo "== pages"
	@built() { find $(PAGES)/dist -type f -exec sha256sum {} + | sort -k 2; }; before=$$(built); \
	  $(MAKE) --no-print-directory ui; \
	  [ "$$before" = "$$(built)" ] || { echo "$(PAGES)/dist was not built from its sources; it is now: commit it"; exit 1; }

clean: ## remove everything that was built
	rm -rf bin dist var $(CONSOLE)/dist/www $(CONSOLE)/node_modules $(PAGES)/ui/node_modules
