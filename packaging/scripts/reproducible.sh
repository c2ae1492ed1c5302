#!/usr/bin/env bash
# Builds hall-agent in two folders and compares the bytes: reproducible.sh [fresh]. With fresh nothing that was compiled before is used,
# which takes minutes; without it what does not depend on the folder is compiled once. Prints the SHA-256 of the program.
set -euo pipefail
cd "$(dirname "$0")/../.."
export VERSION=${VERSION:-reproducible}

work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
for place in one another/and-longer; do
  mkdir -p "$work/$place"
  git ls-files -z --cached --others --exclude-standard | tar --null --files-from=- --create --ignore-failed-read | tar --extract --directory="$work/$place"
  if [ "${1:-}" = fresh ]; then
    export GOCACHE="$work/cache-${place%%/*}"
  fi
  (cd "$work/$place" && packaging/scripts/build.sh "$work/hall-agent-${place%%/*}" ./agent/cmd/hall-agent)
done
cmp "$work/hall-agent-one" "$work/hall-agent-another"
sha256sum "$work/hall-agent-one" | cut -d ' ' -f 1
