#!/bin/sh
# Tickets are never deleted by a package: the data directory and the configuration stay, also on purge.
set -e
if [ -d /run/systemd/system ]; then
  systemctl daemon-reload
fi
case "$1" in
  remove | purge) rm -rf /usr/lib/hall-agent/previous ;;
esac
if [ "$1" = purge ] && [ -d /var/lib/hall-agent ]; then
  echo "hall-agent: /var/lib/hall-agent 和 /etc/hall-agent 仍然保留；确认不再需要后请手工删除。"
fi
