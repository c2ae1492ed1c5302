#!/usr/bin/env bash
# Builds programs so that everybody who builds a version with the same Go gets the same bytes: build.sh OUT PACKAGE..., with VERSION set.
# Nothing of the machine, the folder or the hour goes in; what the programs are is in VERSION, not in the state of a working copy.
set -euo pipefail
export CGO_ENABLED=0 GOFLAGS= GOEXPERIMENT=
export GOAMD64=v1 # halls have machines of ten years and more
exec "${GO:-go}" build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=${VERSION:?the version to build}" -o "$1" "${@:2}"
