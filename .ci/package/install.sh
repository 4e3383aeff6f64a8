#!/bin/sh
# Installs opsctl: curl -LsSf https://github.com/opsctl/opsctl/releases/latest/download/install.sh | sh
#
#   OPSCTL_VERSION      a version, such as 0.1.0; without it the latest
#   OPSCTL_INSTALL_DIR  where the program goes; without it ~/.local/bin
#   OPSCTL_DOWNLOAD     where releases are, for a mirror of your own
set -eu

releases=${OPSCTL_DOWNLOAD:-https://github.com/opsctl/opsctl/releases}
folder=${OPSCTL_INSTALL_DIR:-$HOME/.local/bin}

stop() {
  echo "opsctl was not installed: $1" >&2
  exit 1
}

# Everything is in a function, so that a download that breaks off runs nothing.
main() {
  machine=$(uname -m)
  case $machine in arm64) machine=aarch64 ;; amd64) machine=x86_64 ;; esac
  case $(uname -s)-$machine in
    Linux-x86_64 | Linux-aarch64) target=$machine-unknown-linux-gnu ;;
    Darwin-x86_64 | Darwin-aarch64) target=$machine-apple-darwin ;;
    *) stop "there is no binary for $(uname -s) on $machine; build it from source, as the README tells" ;;
  esac
  if [ "${target%linux-gnu}" != "$target" ] && ldd --version 2>&1 | grep -q musl; then
    stop "the binary needs glibc, and this system has musl; build it from source, as the README tells"
  fi
  command -v curl >/dev/null || stop "curl is missing"
  if command -v sha256sum >/dev/null; then sum="sha256sum -c"; else sum="shasum -a 256 -c"; fi

  archive=opsctl-$target.tar.gz
  from=$releases/latest/download
  [ -z "${OPSCTL_VERSION:-}" ] || from=$releases/download/v${OPSCTL_VERSION#v}
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  for file in "$archive" "$archive.sha256"; do
    curl -LsSf -o "$work/$file" "$from/$file" || stop "$from/$file cannot be downloaded"
  done
  (cd "$work" && $sum "$archive.sha256" >/dev/null 2>&1) || stop "$archive is damaged: its checksum is another one"
  tar -xzf "$work/$archive" -C "$work"
  mkdir -p "$folder"
  # Beside the old one and then over it: whoever runs it meanwhile keeps a whole program.
  cp "$work/opsctl-$target/opsctl" "$folder/.opsctl-new"
  mv "$folder/.opsctl-new" "$folder/opsctl"
  installed=$("$folder/opsctl" --version) || stop "the program does not run on this machine"
  echo "Installed $installed in $folder/opsctl"
  case :$PATH: in
    *":$folder:"*) ;;
    *) echo "It is not on your PATH yet: export PATH=\"$folder:\$PATH\"" ;;
  esac
  echo "Try it without an account: opsctl init my-project"
}

main
