#!/usr/bin/env bash
# Make .venv in this checkout: a Python environment of the versions in requirements.lock, and the project itself.
#     scripts/setup.sh          what the analysis needs
#     scripts/setup.sh test     and what tests and checks need: requirements-test.lock
#     scripts/setup.sh explain  and what TF-MoDISco and ledidi need: requirements-explain.lock
#     scripts/setup.sh multiqc  and what MultiQC needs: requirements-multiqc.lock
# Called by make whenever a lock or pyproject.toml is newer than its mark in .venv. Stopped at any moment, it goes on
# where it was. TORCH=cpu or TORCH=cuda chooses the build of PyTorch; scripts/torch.sh says how else it is chosen.
set -euo pipefail
cd "$(dirname "$0")/.."
part=${1:-}
lock=requirements${part:+-$part}.lock
mark=.venv/.complete${part:+-$part}
room=2000 # MB: what lands in .venv, and the wheels on their way there

stop() {
	echo "$*" >&2
	exit 2
}

# One line that moves, on a terminal; elsewhere a line now and then.
say() {
	if [ -t 1 ]; then printf '\r\033[K%s' "$1"; elif [ -n "${2:-}" ]; then echo "$1"; fi
}

# What pip says, as progress. Its warnings stay in the log; of its errors, the one line that says what to do.
follow() {
	local count=0 step="" line name reason="" failed=""
	while IFS= read -r line; do
		echo "$line" >>.venv/setup.log || true
		name=${line#* }
		case "$line" in
		"Collecting "* | "Requirement already satisfied: "*)
			count=$((count + 1)) step="" name=${name#already satisfied: }
			[ $((count % 25)) != 0 ] || step=line
			say "$1: package $count of $2, ${name%%[ =<>]*}" $step
			;;
		*"Building wheel for MACS2"*"started") say "$1: compiling MACS2 (a minute)" line ;;
		"Installing collected packages"*) say "$1: unpacking $count packages" line ;;
		*"No space left"*) reason="The disk is full: $room MB are needed in $PWD and in ${TMPDIR:-/tmp}. Make room, then make again" ;;
		*"No matching distribution"*) reason=${reason:-"No version of ${line##*for } fits this Python ($(.venv/bin/python --version)): make PYTHON=/path/to/another/python3"} ;;
		*"connection broken"* | *"Could not fetch URL"* | *"Max retries"* | *"Read timed out"* | *"Network is unreachable"*)
			reason=${reason:-"No network: pip cannot reach its package index. Once it can, make again: it goes on where it was"}
			;;
		*"command 'gcc' failed"* | *"gcc' failed"* | *"cc' failed"* | *"Python.h: No such file"*)
			reason="MACS2 cannot be compiled: a C compiler and Python's headers are needed (apt-get install gcc libc6-dev python3-dev)"
			;;
		"ERROR: "*) failed=$name ;;
		"pip ended with "*) stop "${reason:-pip: ${failed:-$line}} (all it said: .venv/setup.log)" ;;
		esac
	done
}

pip=(.venv/bin/python -m pip --disable-pip-version-check --no-input)
install() {
	say "$what ..." line
	{ "${pip[@]}" install --no-compile --progress-bar off "$@" 2>&1 || echo "pip ended with $?"; } | follow "$what" "$many"
}

if [ -z "$part" ]; then
	python=$(scripts/python.sh)
	free=$(df -Pm . | awk 'NR == 2 { print $4 }')
	[ -e .venv/.torch ] || [ "$free" -ge "$room" ] || stop "The disk is full: $room MB are needed in $PWD, $free are free"
	if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
		say "Making .venv with $("$python" --version) ..." line
		"$python" -m venv --clear .venv >/dev/null 2>&1 ||
			stop "$python -m venv .venv fails: is the disk full, or the folder read-only? ($free MB are free in $PWD)"
	fi
	# A package that a killed pip left half unpacked has no list of its files yet, or has the name of a leftover.
	for found in .venv/lib/python3*/site-packages/*.dist-info; do [ -e "$found/RECORD" ] || rm -rf "$found"; done
	rm -rf .venv/lib/python3*/site-packages/~*
fi
: >.venv/setup.log

what="Installing $lock" many=$(grep -c == "$lock")
if [ -n "$part" ]; then
	install --no-deps --use-pep517 --requirement "$lock"
	touch "$mark"
	say ""
	exit
fi

# MACS2 comes as source alone: it is compiled, on all cores, while the other packages arrive.
build=(--no-deps --no-build-isolation --use-pep517)
many=3 what="Installing what compiles MACS2"
install --no-deps $(grep -E "^(Cython|numpy|setuptools)==" "$lock")
macs=$(grep ^MACS2== "$lock")
printf '[build_ext]\nparallel = %s\n' "$(getconf _NPROCESSORS_ONLN 2>/dev/null || echo 1)" >.venv/build.cfg
export DIST_EXTRA_CONFIG=$PWD/.venv/build.cfg
if [ ! -x .venv/bin/macs2 ]; then
	"${pip[@]}" wheel "${build[@]}" --wheel-dir .venv/wheels "$macs" >.venv/macs2.log 2>&1 &
	trap 'kill %1 2>/dev/null || true' EXIT
fi
many=11 what="Installing PyTorch"
torch=$(scripts/torch.sh "$(grep ^torch== "$lock")")
# shellcheck disable=SC2086
install --constraint "$lock" $torch
touch .venv/.torch
many=$(grep -c == "$lock") what="Installing $lock"
grep -v ^MACS2== "$lock" >.venv/rest.lock
install "${build[@]}" --requirement .venv/rest.lock
[ -z "$(jobs -p)" ] || say "Compiling MACS2 (a minute) ..." line
# If that fails, it is tried again below, and its error said.
wait || true
trap - EXIT
many=2 what="Installing MACS2 and the project"
mkdir -p .venv/wheels
install "${build[@]}" --find-links .venv/wheels "$macs" --editable .
rm -rf .venv/wheels .venv/build.cfg .venv/rest.lock .venv/macs2.log
touch "$mark"
say ""
version='import importlib.metadata as m, importlib.util as u
scope = {}; exec(open(u.find_spec("torch").submodule_search_locations[0] + "/version.py").read(), scope)
kind = "CUDA build" if scope.get("cuda") else "CPU build; in an empty .venv, make TORCH=cuda takes the other"
print("Set up: Snakemake", m.version("snakemake") + ", torch", scope["__version__"], f"({kind})")'
.venv/bin/python -c "$version"
