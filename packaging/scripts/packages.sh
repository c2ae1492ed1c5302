#!/usr/bin/env bash
# Builds the Debian packages into dist/: packages.sh with VERSION set; ARCHES names other machines than amd64, RELEASE_KEY the
# file of the key that signs the release and what its package installs.
set -euo pipefail
cd "$(dirname "$0")/../.."

given=${VERSION:?the version to build}
case "${given#v}" in
  [0-9]*.[0-9]*) VERSION=${given#v} ;;
  *) VERSION=0.0.0+$given ;; # a bare commit is no version
esac
VERSION=${VERSION//-/.} # and a dash would begin the packager's revision
export VERSION

mkdir -p dist
for ARCH in ${ARCHES:-amd64}; do
  echo "== hall-agent $VERSION $ARCH"
  ARCH=$ARCH packaging/scripts/deb.sh dist/
done
go tool -modfile=test/tools/go.mod nfpm package --config packaging/kiosk/nfpm.yaml --packager deb --target dist/
packaging/scripts/sbom.sh dist
(cd dist && sha256sum -- *.deb *.cdx.json >SHA256SUMS)
if [ -n "${RELEASE_KEY:-}" ]; then # the maker's SM2 key: without it the packages are nobody's
  go run ./agent/cmd/hall-agent release sign --key "$RELEASE_KEY" --number "$VERSION" dist/*.deb dist/*.cdx.json
fi
ls -l dist/*.deb
