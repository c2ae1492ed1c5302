#!/bin/sh
# After unpacking: the user, the rights of devices, whether what was unpacked is the maker's, and the new program's opinion of the old
# configuration. A configuration the new program refuses must not close a hall: the old program then goes on running and the way back is named.
set -e
config=/etc/hall-agent/agent.yaml

systemd-sysusers hall-agent.conf
find /etc/hall-agent -path /etc/hall-agent/release.pub -prune -o -exec chown -h hall-agent:hall-agent {} +
install -d -o hall-agent -g hall-agent -m 0700 /var/lib/hall-agent # systemd would at the first start, and enrolling comes before that
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
if ! /usr/bin/hall-agent release verify --installed; then
  echo "hall-agent: 装好的文件核对不过（见上）。旧程序继续运行，没有重启；现在重启它就启动不了。" >&2
elif runuser -u hall-agent -- /usr/bin/hall-agent check --config "$config"; then
  if systemctl restart hall-agent.service; then # which waits until the hall can be used
    exit 0
  fi
  echo "hall-agent: 新版本启动不起来，原因见 journalctl -u hall-agent -n 50；程序还会自己再试。" >&2
else
  echo "hall-agent: 新版本不接受现有配置（见上）。旧程序继续运行，没有重启。" >&2
  echo "  改好配置后：systemctl restart hall-agent" >&2
fi
if [ -x /usr/lib/hall-agent/previous/usr/bin/hall-agent ]; then
  echo "  退回旧版本：cp -a --remove-destination /usr/lib/hall-agent/previous/. / && systemctl daemon-reload" >&2
fi
