#!/bin/busybox sh
# The guest's first process: what a Debian machine has after its start as far as devices go, then the tests, then off.
/bin/busybox --install -s /usr/bin
export PATH=/usr/bin:/usr/sbin HOME=/root
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /run/udev
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /tmp
ip link set lo up

# The host reads results from the second port, undisturbed by what the kernel says on the first.
exec >/dev/ttyS1 2>&1
stty raw -echo

/usr/lib/systemd/systemd-udevd --daemon
modprobe -a configfs evdev uinput uhid libcomposite
modprobe dummy_hcd num=2 # sockets
modprobe snd-aloop pcm_substreams=1
mount -t configfs configfs /sys/kernel/config
udevadm trigger --action=add
udevadm settle

echo "guest is up after $(cut -d ' ' -f 1 /proc/uptime) s"
flags=$(sed 's/.*guest_flags=\([^ ]*\).*/\1/; s/,/ /g' /proc/cmdline)
cd /root && ./guest.test $flags
echo "guest ends with $?"
poweroff -f
