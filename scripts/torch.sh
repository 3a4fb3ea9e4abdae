#!/usr/bin/env bash
# Print what pip is to be told to install PyTorch (first argument: its pin): its usual build, or on Linux, where no NVIDIA
# GPU is seen, the CPU build from PyTorch's own index, which has no gigabytes of CUDA, if that index answers in seconds.
# TORCH=cpu and TORCH=cuda decide otherwise; so do index or folders of wheels in pip's settings: pip then finds what they hold.
set -euo pipefail
index=${TORCH_INDEX:-https://download.pytorch.org/whl/cpu}
pip=(.venv/bin/python -m pip --disable-pip-version-check)

# A GPU of this machine, or of a node that this Slurm cluster's login node submits to.
gpu() {
	[ -e /dev/nvidiactl ] || nvidia-smi --list-gpus 2>/dev/null | grep ^GPU >/dev/null ||
		timeout 5 sinfo --noheader --format %G 2>/dev/null | grep gpu >/dev/null
}

answers() {
	timeout 15 "${pip[@]}" --timeout 4 --retries 0 index versions torch --index-url "$index" 2>/dev/null |
		grep "versions:.*[ ,]${1#torch==}+cpu" >/dev/null
}

case "${TORCH:-}" in
cpu) [ "$(uname -s)" != Linux ] || set -- "$1+cpu" --extra-index-url "$index" ;;
cuda) ;;
"")
	if [ "$(uname -s)" = Linux ] && ! "${pip[@]}" config list 2>/dev/null | grep -E "index|find-links" >/dev/null && ! gpu &&
		answers "$1"; then
		set -- "$1+cpu" --extra-index-url "$index"
	fi
	;;
*)
	echo "TORCH=$TORCH: it is cpu, cuda, or nothing" >&2
	exit 2
	;;
esac
echo "$@"
