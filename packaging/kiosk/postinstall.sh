#!/bin/sh
# After unpacking: the user. The service is not enabled: it takes the screen away from a desktop, so somebody has to want that.
set -e
systemd-sysusers hall-kiosk.conf
chown -R root:hall-kiosk /etc/hall-kiosk
chmod 0750 /etc/hall-kiosk
if [ ! -d /run/systemd/system ]; then
  exit 0 # an image is being built
fi
systemctl daemon-reload
if systemctl is-enabled --quiet hall-kiosk.service; then
  systemctl try-restart hall-kiosk.service
  exit 0
fi
echo "hall-kiosk: 请写 /etc/hall-kiosk/kiosk.conf，放好 /etc/hall-kiosk/hall-ca.crt 和 /etc/hall-kiosk/token，然后运行 systemctl enable --now hall-kiosk"
