#!/bin/sh
# Unpacks packages into a root file system without a shell, package manager or maintainer script.
# mmdebstrap runs it as a hook: unpack.sh LIST ROOT
set -eu
list=$(sed 's/#.*//' "$1" | tr '\n' ' ')
root=$2
packages=$root/var/cache/apt/archives

for name in bin sbin lib lib64; do
    mkdir -p "$root/usr/$name"
    ln -s "usr/$name" "$root/$name"
done

mkdir -p "$packages"
cd "$packages"
# shellcheck disable=SC2086  # one word a package
APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get -qq -o APT::Sandbox::User=root download $list
mkdir -p "$root/var/lib/dpkg"
for package in *.deb; do
    dpkg-deb --fsys-tarfile "$package" | tar -C "$root" -x --keep-directory-symlink
    { dpkg-deb -f "$package"; echo "Status: install ok installed"; echo; } >>"$root/var/lib/dpkg/status"
    rm "$package"
done

cd "$root"
# What nobody reads in a container. The licences stay.
find usr/share/doc -not -type d -not -name copyright -delete
rm -rf usr/share/man usr/share/info usr/share/locale usr/share/lintian usr/share/bug \
    usr/share/doc-base usr/share/gcc usr/share/gdb usr/share/perl5 usr/share/applications \
    usr/share/pixmaps usr/share/icons usr/share/nginx/html usr/lib/*/gconv usr/lib/systemd \
    usr/share/zoneinfo/right usr/share/zoneinfo/posix etc/init.d etc/cron* etc/logrotate.d \
    etc/ufw etc/dpkg etc/default etc/kernel etc/update-motd.d var/log/* var/lib/nginx
find usr/share/doc -type d -empty -delete

# What the packages' scripts would have done.
printf 'root:x:0:0:root:/nonexistent:/nonexistent\nserve:x:10001:10001::/nonexistent:/nonexistent\n' >etc/passwd
printf 'root:x:0:\nserve:x:10001:\n' >etc/group
printf 'hosts: files dns\n' >etc/nsswitch.conf
if [ -d usr/share/ca-certificates ]; then
    mkdir -p etc/ssl/certs usr/lib/ssl
    cat usr/share/ca-certificates/mozilla/*.crt >etc/ssl/certs/ca-certificates.crt
    ln -s /etc/ssl/certs/ca-certificates.crt usr/lib/ssl/cert.pem
    rm -rf usr/share/ca-certificates usr/sbin/update-ca-certificates etc/ca-certificates
fi
if [ -e usr/bin/python3.11 ]; then
    ln -s python3.11 usr/bin/python3
    # Modules without their libraries, and tools nobody calls in a service.
    cd usr/lib/python3.11
    rm -rf lib2to3 pydoc_data lib-dynload/nis.* lib-dynload/readline.* lib-dynload/_curses*
    cd "$root"
    chroot "$root" /usr/bin/python3.11 -I -m compileall -q --invalidation-mode unchecked-hash \
        /usr/lib/python3.11
fi
if [ -e usr/sbin/nginx ]; then
    mkdir -p etc/slipway var/log/nginx
    ln -s /dev/stdout var/log/nginx/access.log
fi
find . -xdev -perm /6000 -exec chmod ug-s {} +
