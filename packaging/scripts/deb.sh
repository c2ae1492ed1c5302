#!/usr/bin/env bash
# Builds the Debian package of hall-agent: deb.sh FOLDER, with VERSION and ARCH set. With RELEASE_KEY, the file of the maker's key, the package
# carries a signed manifest of what it installs: of all that runs or gives rights, and not of what is read (documents) or copied (samples).
set -euo pipefail
cd "$(dirname "$0")/../.."
: "${VERSION:?the version to build}" "${ARCH:?the machine to build for}"
BUILT=$(mktemp -d)
trap 'rm -rf "$BUILT"' EXIT
export VERSION ARCH BUILT

pack() {
  go tool -modfile=test/tools/go.mod nfpm package --config packaging/nfpm.yaml --packager deb --target "$1"
}

mkdir "$BUILT/release"
GOOS=linux GOARCH=$ARCH packaging/scripts/build.sh "$BUILT/hall-agent" ./agent/cmd/hall-agent
if [ -n "${RELEASE_KEY:-}" ]; then
  pack "$BUILT/unsigned.deb"
  dpkg-deb -x "$BUILT/unsigned.deb" "$BUILT/tree"
  (cd "$BUILT/tree" && find usr -type f ! -path 'usr/share/doc/*' ! -name '*.yaml' -print0) | sort -z |
    xargs -0 go run ./agent/cmd/hall-agent release sign --key "$RELEASE_KEY" --number "$VERSION" --root "$BUILT/tree"
  cp "$BUILT"/tree/usr/share/hall-agent/release/* "$BUILT/release/"
fi
pack "$1"
