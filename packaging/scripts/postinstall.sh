#!/bin/sh
# After unpacking: the user, the rights of devices, and the new program's opinion of the old configuration. A configuration the
# new program refuses must not close a hall: the old program then goes on running and the way back is named.
set -e
config=/etc/hall-agent/agent.yaml

systemd-sysusers hall-agent.conf
chown -R hall-agent:hall-agent /etc/hall-agent
find /etc/hall-agent/secrets -type f -exec chmod 0600 {} +
if [ -d /run/udev ]; then
  udevadm control --reload
  udevadm trigger --subsystem-match=tty --subsystem-match=usbmisc --subsystem-match=usb --subsystem-match=hidraw
fi

if [ ! -d /run/systemd/system ]; then
  exit 0 # an image is being built
fi
systemctl daemon-reload
systemctl enable --quiet hall-agent.service
if [ ! -e "$config" ]; then
  echo "hall-agent: 请先写 $config（样例在 /usr/share/hall-agent），然后运行 systemctl start hall-agent"
  exit 0
fi
if runuser -u hall-agent -- /usr/bin/hall-agent check --config "$config"; then
  systemctl restart hall-agent.service
  exit 0
fi
echo "hall-agent: 新版本不接受现有配置（见上）。旧程序继续运行，没有重启。" >&2
echo "  改好配置后：systemctl restart hall-agent" >&2
if [ -x /usr/lib/hall-agent/previous/hall-agent ]; then
  echo "  退回旧版本：cp /usr/lib/hall-agent/previous/hall-agent /usr/bin/hall-agent" >&2
fi
