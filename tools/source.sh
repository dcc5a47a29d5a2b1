#!/bin/sh
# SPDX-License-Identifier: MIT
# source.sh NAME DIR - unpacks the source that third_party/NAME describes into DIR.
#
# It comes from the distribution's archive, by way of the mirror that this machine
# uses for its own packages; apt checks the signature, and the checksum that is kept
# here has to agree. Nothing is installed.
set -eu

name=$1 dir=$2
told() { awk -v key="$1" '$1 == key { print $2; exit }' "$(dirname "$0")/../third_party/$name"; }
package=$(told Package) suite=$(told Suite) sha256=$(told SHA256)

state=$(pwd)/build/apt
mkdir -p "$state/lists/partial" "$state/cache/archives/partial" "$state/parts" "$dir.new"
exec 9>"$state/lock" && flock 9 # apt does one thing at a time
mirror=$(apt-get indextargets --format '$(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
	awk '$1 == "bookworm" && $2 == "main" { print $3; exit }')
if [ -z "$mirror" ]; then
	echo "source.sh: apt knows no mirror of bookworm" >&2
	exit 1
fi
cat >"$state/parts/$suite.sources" <<EOF
Types: deb-src
URIs: $mirror
Suites: $suite
Components: main
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg
EOF
apt="apt-get -q -o Dir::Etc::SourceList=/dev/null -o Dir::Etc::SourceParts=$state/parts
	-o Dir::State::Lists=$state/lists -o Dir::Cache=$state/cache -o APT::Sandbox::User="
$apt update </dev/null
cd "$dir.new"
$apt source --download-only --tar-only "$package" </dev/null
tar=$(ls ./"$package"_*.orig.tar.*)
echo "$sha256  $tar" | sha256sum --check --quiet
tar -xf "$tar" --strip-components=1
rm "$tar"
cd - >/dev/null
rm -rf "$dir"
mv "$dir.new" "$dir"
