#!/usr/bin/env bash
# Builds the Debian packages into dist/: packages.sh with VERSION set; ARCHES names other machines than amd64.
set -euo pipefail
cd "$(dirname "$0")/../.."

given=${VERSION:?the version to build}
case "${given#v}" in
  [0-9]*.[0-9]*) VERSION=${given#v} ;;
  *) VERSION=0.0.0+$given ;; # a bare commit is no version
esac
VERSION=${VERSION//-/.} # and a dash would begin the packager's revision
export VERSION

mkdir -p bin/packages dist
for ARCH in ${ARCHES:-amd64}; do
  export ARCH
  echo "== hall-agent $VERSION $ARCH"
  # GOAMD64=v1: halls have machines of ten years and more.
  CGO_ENABLED=0 GOOS=linux GOARCH=$ARCH GOAMD64=v1 go build -trimpath -ldflags "-s -w -X main.version=$VERSION" \
    -o "bin/packages/hall-agent-$ARCH" ./agent/cmd/hall-agent
  go tool -modfile=test/tools/go.mod nfpm package --config packaging/nfpm.yaml --packager deb --target dist/
done
go tool -modfile=test/tools/go.mod nfpm package --config packaging/kiosk/nfpm.yaml --packager deb --target dist/
ls -l dist/*.deb
