#!/usr/bin/env bash
# Makes sure that this machine has what a make target needs: prepare.sh run|test|vm|packages.
# What is missing is installed when we are root on Debian; otherwise the exact command is named and the script fails.
set -euo pipefail
cd "$(dirname "$0")/../.."

packages=() # Debian packages to install
manual=()   # commands for what no package gives

need() { # need COMMAND PACKAGE
  command -v "$1" >/dev/null || packages+=("$2")
}

need_font() { # need_font LANGUAGE PACKAGE: kiosk pages are Chinese, and so are their screenshots
  command -v fc-list >/dev/null && [ -n "$(fc-list ":lang=$1" 2>/dev/null)" ] || packages+=("$2")
}

need_go() { # the go command fetches the version go.mod names by itself from 1.21 on
  local want have
  want=$(awk '$1 == "go" { print $2 }' go.mod)
  if ! have=$(go env GOVERSION 2>/dev/null); then
    manual+=("curl -fsSL https://go.dev/dl/go$want.linux-$(dpkg --print-architecture 2>/dev/null || uname -m).tar.gz | tar -C /usr/local -xz && export PATH=\$PATH:/usr/local/go/bin")
  elif ! go version >/dev/null 2>&1; then
    manual+=("GOTOOLCHAIN=auto go version   # $have is older than $want")
  fi
}

node_is_new() { # the console's build needs Node 20.19
  command -v node >/dev/null && node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'
}

need_node() {
  PATH="$PWD/bin/node/node_modules/node/bin:$PATH"
  command -v node >/dev/null || packages+=(nodejs)
  command -v npm >/dev/null || packages+=(npm)
}

newer_node() { # Debian 12 has Node 18; the npm registry has newer ones
  node_is_new && return
  echo "prepare: Node $(node --version) is too old, fetching one into bin/node"
  npm install --prefix bin/node --no-save --no-audit --no-fund --loglevel=error node@22
  node_is_new || { echo "prepare: Node 20.19 or newer is needed: https://nodejs.org" >&2; exit 1; }
}

guest_kernel() { # Debian's newest kernel for the guest of `make vm`: unpacked into var/vm/kernel, not installed
  [ -d var/vm/kernel ] && return
  local package
  package=$(apt-cache depends linux-image-amd64 2>/dev/null | awk '$2 ~ /^linux-image-[0-9]/ { print $2; exit }')
  [ -n "$package" ] || { echo "prepare: apt knows no linux-image-amd64; unpack one of Debian's into var/vm/kernel" >&2; exit 1; }
  echo "prepare: fetching $package into var/vm/kernel"
  rm -rf var/vm/fetch && mkdir -p var/vm/fetch
  (cd var/vm/fetch && apt-get download -qq -o APT::Sandbox::User="$(id -un)" "$package" && dpkg-deb -x "$package"_*.deb kernel)
  /usr/sbin/depmod -b var/vm/fetch/kernel "${package#linux-image-}"
  mv var/vm/fetch/kernel var/vm/kernel && rm -rf var/vm/fetch
}

case "${1:-}" in
  run)
    need_go
    need_node
    ;;
  test)
    need_go
    need_node
    need gcc gcc # the race detector
    need chromium chromium
    need ffmpeg ffmpeg
    need /usr/bin/convert imagemagick # bends photographs of codes
    need Xvfb xvfb # hot-keys are pressed on a screen that nobody sees
    need xdotool xdotool
    need systemd-analyze systemd
    need dpkg-deb dpkg
    need zbarimg zbar-tools # reads the codes on printed slips
    need busybox busybox-static # unpacks what test/vm/boot packs
    need fc-list fontconfig
    need ip iproute2 # makes networks whose cameras change
    need certutil libnss3-tools # lets browsers trust, and show certificates
    need openssl openssl # holds the GM keys, signatures and certificates to account
    need_font zh fonts-noto-cjk
    ;;
  vm)
    need_go
    need qemu-system-x86_64 qemu-system-x86
    need dpkg-deb dpkg
    # Programs of the guest; the libraries they need come along from this machine.
    need /usr/bin/busybox busybox-static
    need /usr/bin/udevadm udev
    need /usr/sbin/modprobe kmod
    need /usr/bin/aplay alsa-utils
    ;;
  packages)
    need_go
    need dpkg-deb dpkg
    ;;
  *)
    echo "usage: prepare.sh run|test|vm|packages" >&2
    exit 2
    ;;
esac

if [ ${#packages[@]} -gt 0 ]; then
  install="apt-get update && apt-get install -y --no-install-recommends ${packages[*]}"
  if [ "$(id -u)" = 0 ] && [ -e /etc/debian_version ]; then
    echo "prepare: installing ${packages[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
  else
    manual+=("sudo sh -c '$install'")
  fi
fi
if [ ${#manual[@]} -gt 0 ]; then
  echo "prepare: this machine lacks something. Run:" >&2
  printf '  %s\n' "${manual[@]}" >&2
  exit 1
fi
case "$1" in
  run | test) newer_node ;;
  vm) guest_kernel ;;
esac
