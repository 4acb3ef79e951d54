#!/usr/bin/env bash
# SPDX-License-Identifier: GPL-2.0-or-later
# package.sh BUILD OUT: a plain .deb of what `cmake --install` of BUILD installs, in the folder OUT.
set -euo pipefail

build=$1 out=$2
version=$(sed -n 's/^CMAKE_PROJECT_VERSION:STATIC=//p' "$build/CMakeCache.txt")
architecture=$(dpkg --print-architecture)
stage=$out/stage
rm -rf "$stage"
umask 022
mkdir -p "$stage/DEBIAN" "$out/debian"
DESTDIR=$stage cmake --install "$build" --prefix /usr --strip >/dev/null

# What was installed, for fault 110 and for sha256sum --check. What is the administrator's (etc/) is not
# in it.
(cd "$stage" && find usr -type f ! -path 'usr/share/doc/*' ! -path 'usr/share/man/*' -print0 |
    LC_ALL=C sort -z | xargs -0 sha256sum | sed 's|  usr/|  /usr/|') >"$out/manifest.sha256"
install -m 0644 "$out/manifest.sha256" "$stage/usr/lib/vigia/manifest.sha256"

# dpkg-shlibdeps reads debian/control, which a plain dpkg-deb build does not have otherwise.
printf 'Source: vigia\n\nPackage: vigia\nArchitecture: any\n' >"$out/debian/control"
mapfile -t programs < <(find "$stage/usr" -type f -perm -100)
depends=$(cd "$out" && dpkg-shlibdeps -O "${programs[@]/#/-e}" | sed -n 's/^shlibs:Depends=//p')

cat >"$stage/DEBIAN/control" <<CONTROL
Package: vigia
Version: $version
Architecture: $architecture
Maintainer: The Vigía authors <vigia@localhost>
Depends: $depends, passwd
Recommends: systemd
Section: admin
Priority: optional
Installed-Size: $(du -sk "$stage/usr" | cut -f 1)
Description: Linux endpoint-security connector
 Watches files as they happen, scans what changes for malware in a sandboxed
 service, acts by policy, and reports and explains its own health.
CONTROL

cat >"$stage/DEBIAN/postinst" <<'POSTINST'
#!/bin/sh
set -e
getent passwd vigia-scan >/dev/null || useradd --system --user-group --no-create-home \
    --home-dir /nonexistent --shell /usr/sbin/nologin vigia-scan
if command -v journalctl >/dev/null; then
    journalctl --update-catalog
fi
if [ -d /run/systemd/system ]; then
    systemd-tmpfiles --create vigia.conf
    systemctl daemon-reload
    systemctl try-restart vigiad.service
fi
POSTINST

cat >"$stage/DEBIAN/prerm" <<'PRERM'
#!/bin/sh
set -e
if [ "$1" = remove ] && [ -d /run/systemd/system ]; then
    systemctl disable --now vigiad.service
fi
PRERM

# Purging takes the quarantine and the journal with it: that is what tells it from removing.
cat >"$stage/DEBIAN/postrm" <<'POSTRM'
#!/bin/sh
set -e
if [ -d /run/systemd/system ]; then
    systemctl daemon-reload
fi
if [ "$1" = purge ]; then
    rm -rf /etc/vigia /var/lib/vigia /var/log/vigia /run/vigia
    if getent passwd vigia-scan >/dev/null; then
        userdel vigia-scan
    fi
fi
POSTRM
chmod 0755 "$stage/DEBIAN/postinst" "$stage/DEBIAN/prerm" "$stage/DEBIAN/postrm"

package=$out/vigia_${version}_$architecture.deb
dpkg-deb --root-owner-group --build "$stage" "$package" >/dev/null
printf '%s\n' "$package"
