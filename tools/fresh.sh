#!/bin/sh
# SPDX-License-Identifier: MIT
# fresh.sh - the two commands of the README in a new Debian 12 with nothing in it
# but git and make.
#
# Mirror, keys and settings of apt are those of this machine. Everything mounted
# is in a mount namespace of its own and goes with it. FRESH_TIMEOUT: seconds,
# a hang detector.
set -eu

suite=bookworm
root=$PWD/build/fresh
limit=${FRESH_TIMEOUT:-2400}

if [ "$(id -u)" -ne 0 ]; then
	exec sudo FRESH_TIMEOUT="$limit" "$0" "$@"
fi
if [ "${1:-}" != inside ]; then
	exec timeout "$limit" unshare --mount --pid --fork --kill-child "$0" inside
fi

remove() {
	umount -R -q "$root/proc" "$root/dev" || true
	rm -rf --one-file-system "$root"
}
remove
mkdir -p "$root"
trap remove EXIT

echo "fresh: a new Debian ($suite)"
apt-config dump | grep '^Acquire::' >"$root.apt"
# shellcheck disable=SC2016 # apt-get fills in these names
apt-get indextargets --format 'deb $(REPO_URI) $(CODENAME) $(COMPONENT)' 'Created-By: Packages' |
	grep " $suite" | sort -u |
	mmdebstrap --quiet --mode=root --variant=apt --include=git,make,ca-certificates \
		--aptopt="$root.apt" "$suite" "$root" -
rm "$root.apt"
rm "$root/etc/apt/sources.list"
cp -a /etc/apt/. "$root/etc/apt/"
cp -L /etc/resolv.conf "$root/etc/resolv.conf"

mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=755 dev "$root/dev"
for node in null zero full random urandom tty; do
	touch "$root/dev/$node"
	mount --bind "/dev/$node" "$root/dev/$node"
done
mkdir -m 1777 "$root/dev/shm"
ln -s /proc/self/fd "$root/dev/fd"

git -c safe.directory='*' bundle create -q "$root/root/repository" HEAD
run() {
	chroot "$root" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
		sh -c "$1" </dev/null
}
run 'git -c advice.detachedHead=false clone -q /root/repository /root/themelios'
echo "fresh: make run"
run 'cd /root/themelios && make run PRESS="composition: up"'
echo "fresh: make test"
run 'cd /root/themelios && make test'
