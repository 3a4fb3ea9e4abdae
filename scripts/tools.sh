#!/usr/bin/env bash
# The programs that are no Python packages: those that align, filter and intersect reads, and a C compiler for MACS2,
# which comes as source alone. Installed where we may; where not, this says how.
set -euo pipefail
python=$("$(dirname "$0")/python.sh")
export PATH="$PATH:/usr/sbin:/sbin" DEBIAN_FRONTEND=noninteractive

tools=(bowtie2 samtools bedtools fastp)
headers='import os, sys, sysconfig; sys.exit(not os.path.exists(sysconfig.get_paths()["include"] + "/Python.h"))'

missing() {
	for tool in "${tools[@]}"; do command -v "$tool" >/dev/null || echo "$tool"; done
	# Once MACS2 is there, nothing is compiled any more.
	if [ ! -x .venv/bin/macs2 ]; then
		command -v cc >/dev/null || echo gcc libc6-dev
		"$python" -c "$headers" 2>/dev/null || echo python3-dev
	fi
}

wanted=$(missing | xargs)
[ -n "$wanted" ] || exit 0
said=""
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
	echo "Installing $wanted ..."
	# What apt and debconf say is shown only if they fail.
	# shellcheck disable=SC2086
	said=$({ apt-get update -qq && apt-get install -y -qq --no-install-recommends $wanted; } 2>&1) || true
	wanted=$(missing | xargs)
	[ -n "$wanted" ] || exit 0
	said=$(grep -m 1 ^E: <<<"$said" || true)
fi
echo "Missing: $wanted. The ATAC-seq part needs them. With root rights: apt-get install $wanted; without:" \
	"conda install -c conda-forge -c bioconda bowtie2 samtools bedtools fastp c-compiler${said:+ ($said)}" >&2
exit 2
