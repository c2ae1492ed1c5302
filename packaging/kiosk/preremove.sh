#!/bin/sh
# The page goes from the screen when the package goes, not when it is upgraded.
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
  systemctl disable --quiet --now hall-kiosk.service
fi
