#!/bin/sh
# SPDX-License-Identifier: MIT
# deps.sh GROUP ... - installs the packages of mk/deps that these groups need
# and that are not there, after listing them. With all there it does nothing.
set -eu

is_there() {
	case $1 in
	/*) [ -e "$1" ] ;;
	*) command -v "$1" >/dev/null ;;
	esac
}

missing=
while read -r package groups proof; do
	case $package in '' | '#'*) continue ;; esac
	for group in "$@"; do
		case ",$groups," in
		*,"$group",*)
			is_there "$proof" || missing="$missing $package"
			break
			;;
		esac
	done
done <"$(dirname "$0")/../mk/deps"
[ -n "$missing" ] || exit 0

echo "Packages missing, to be installed with apt-get:$missing"
if ! command -v apt-get >/dev/null; then
	echo "There is no apt-get here: install them by other means." >&2
	exit 1
fi
as_root="env DEBIAN_FRONTEND=noninteractive"
if [ "$(id -u)" -ne 0 ]; then
	if ! command -v sudo >/dev/null; then
		echo "Only root can install them, and there is no sudo." >&2
		exit 1
	fi
	as_root="sudo $as_root"
fi
# A list that could not be fetched need not matter; a package that can't be had does.
$as_root apt-get -q update </dev/null || true
# shellcheck disable=SC2086 # one word a package
$as_root apt-get -q install -y --no-install-recommends $missing </dev/null
