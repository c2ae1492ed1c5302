#!/bin/sh
# Before the files of a new version are unpacked: keep those of the old one with their signed manifest, so that there is a way back.
set -e
previous=/usr/lib/hall-agent/previous
if [ "$1" = upgrade ] && [ -x /usr/bin/hall-agent ]; then
  rm -rf "$previous.new"
  mkdir -p "$previous.new"
  dpkg-query -L hall-agent | while read -r file; do
    case $file in
      /usr/share/doc/*) ;;
      /usr/*) if [ -f "$file" ]; then cp -a --parents "$file" "$previous.new"; fi ;;
    esac
  done
  rm -rf "$previous"
  mv "$previous.new" "$previous"
fi
