#!/usr/bin/env bash
# Make .venv in this checkout: a Python environment of the versions in requirements.lock, and the project itself.
# Called by make whenever the lock or pyproject.toml is newer than .venv/.complete.
set -euo pipefail
cd "$(dirname "$0")/.."

fits='import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))'
for python in ${PYTHON:-python3 python3.14 python3.13 python3.12 python3.11 none}; do
	if "$python" -c "$fits" 2>/dev/null; then break; fi
done
if ! "$python" -c "$fits" 2>/dev/null; then
	echo "Python 3.11 or newer with its venv module is needed; found: $(python3 --version 2>&1 || true)." >&2
	echo "Install it (Debian, Ubuntu: apt-get install python3-venv) or name one: make PYTHON=/path/to/python3" >&2
	exit 2
fi

echo "Setting up .venv with $("$python" --version) (minutes the first time, torch being large) ..."
.venv/bin/python -m pip --version >/dev/null 2>&1 || "$python" -m venv --clear .venv
pip=(.venv/bin/python -m pip --disable-pip-version-check install --quiet --use-pep517)
"${pip[@]}" --requirement requirements.lock
"${pip[@]}" --no-deps --no-build-isolation --editable .
touch .venv/.complete
echo "Set up: $(.venv/bin/snakemake --version | sed 's/^/Snakemake /'), torch $(.venv/bin/python -c 'import torch; print(torch.__version__)')"
