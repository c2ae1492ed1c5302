#!/usr/bin/env bash
# Writes what each program is made of into a folder: sbom.sh FOLDER, with VERSION set. One CycloneDX file (JSON) a program, read from the program
# itself: every module with version, digest and the licences that were found in it. GOOS and GOARCH choose the machine, as in a build.
set -euo pipefail
cd "$(dirname "$0")/../.."
mkdir -p "$1"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
packaging/scripts/build.sh "$work/" ./agent/cmd/hall-agent ./agent/cmd/hall-caller ./cloud/cmd/hall-cloud
for program in "$work"/*; do
  list=$1/$(basename "$program" .exe).cdx.json
  go tool -modfile=test/tools/go.mod cyclonedx-gomod bin -json -licenses -std -noserial -version "$VERSION" -output "$list" "$program" 2>"$work.log" ||
    { cat "$work.log" >&2; exit 1; }
  rm -f "$work.log"
  echo "$list"
done
