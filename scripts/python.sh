#!/usr/bin/env bash
# Print a Python that the project can be set up with: PYTHON, or the first that fits. In one line why, if none does.
set -euo pipefail

fits='import sys; sys.version_info >= (3, 11) or sys.exit("3.%d" % sys.version_info[1]); import ensurepip, venv'
bare=""
for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11}; do
	if said=$("$python" -c "$fits" 2>&1); then
		echo "$python"
		exit 0
	fi
	case "$said" in *"No module named"*) bare=${bare:-$python} ;; esac
done
if [ -n "$bare" ]; then
	echo "$bare has no venv module: apt-get install python3-venv, or make PYTHON=/path/to/another/python3" >&2
else
	echo "Python 3.11 or newer is needed, found: $("${PYTHON:-python3}" --version 2>&1 || true)." \
		"Install one (apt-get install python3 python3-venv), or make PYTHON=/path/to/python3" >&2
fi
exit 2
