# make demo    the whole analysis on embedded data: results/report.html
# make test    all tests and checks
# make sample  the same on small slices of the real data; MIRROR=folder takes the files from there
# make paper   what the full analysis would run, and how to start it

CORES ?= all
MIRROR ?=
PYTHON ?=
GPUS ?= $(shell nvidia-smi --list-gpus 2>/dev/null | grep -c ^GPU)
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --logger progress --rerun-incomplete
RUN := $(SNAKEMAKE) --cores $(CORES) $(if $(filter-out 0,$(GPUS)),--resources gpu=$(GPUS))
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHON

.PHONY: demo sample paper test check chromium setup tools

demo: setup
	@$(RUN)
	@echo "Done: open results/report.html in a browser"

sample: setup
	@$(RUN) --configfile config/sample.yaml $(if $(MIRROR),--config mirror=$(MIRROR))
	@echo "Done: open results/sample/report.html in a browser"

paper: setup
	@$(SNAKEMAKE) --dry-run --quiet rules --configfile config/paper.yaml
	@$(BIN)/proformer plan --configfile config/paper.yaml
	@echo "This is what the paper takes. To run it on a machine with GPUs (here: 4):"
	@echo "    $(BIN)/snakemake --configfile config/paper.yaml --cores all --resources gpu=4"

test: check chromium
	@$(BIN)/python -m pytest

check: setup
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@$(BIN)/snakemake --lint

# Only the test that opens the report needs a browser; it skips itself, with the reason, where there is none.
chromium: export PATH := $(PATH):/usr/sbin:/sbin
chromium: export DEBIAN_FRONTEND := noninteractive
chromium:
	@command -v chromium >/dev/null || [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null || { \
	    echo "Installing Chromium for the test that opens the report ..."; \
	    apt-get update -qq >/dev/null && apt-get install -y -qq --no-install-recommends chromium >/dev/null; } || \
	    echo "Chromium could not be installed: the test that opens the report will be skipped"

setup: tools .venv/.complete

tools:
	@scripts/tools.sh

.venv/.complete: requirements.lock pyproject.toml | tools
	@scripts/setup.sh
