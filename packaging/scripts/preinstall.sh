#!/bin/sh
# Before the files of a new version are unpacked: keep the running program, so that there is a way back.
set -e
previous=/usr/lib/hall-agent/previous
if [ "$1" = upgrade ] && [ -x /usr/bin/hall-agent ]; then
  mkdir -p "$previous"
  cp -p /usr/bin/hall-agent "$previous/hall-agent"
fi
