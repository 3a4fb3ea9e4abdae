# make demo    the whole analysis on embedded data: results/report.html
# make test    all tests and checks
# make explain TF-MoDISco, JASPAR and ledidi too (0.6 GB): proformer motifs --method modisco, design --method ledidi
# make multiqc MultiQC too (0.9 GB), for its page over the ATAC-seq tools' logs
# make test-learning  the tests of learning with ten seeds each, with all instructions and with AVX2 alone
# make test-faults  training on a real Slurm while jobs, nodes and Snakemake fail: an hour, root on Debian or Ubuntu
# make fuzz    verbs on damaged files, options and settings for an hour, or SECONDS=600
# make sample  the same on small slices of the real data; MIRROR=folder takes the files from there
# make paper   what the full analysis would run, and how to start it
# PYTHON=python3.12 takes that Python, TORCH=cpu or TORCH=cuda that build of PyTorch, when .venv is made

CORES ?= all
MIRROR ?=
PYTHON ?=
TORCH ?=
GPUS ?= $(shell nvidia-smi --list-gpus 2>/dev/null | grep -c ^GPU)
BIN := .venv/bin
SNAKEMAKE := $(BIN)/snakemake --logger progress --rerun-incomplete
RUN := $(SNAKEMAKE) --cores $(CORES) $(if $(filter-out 0,$(GPUS)),--resources gpu=$(GPUS))
export PATH := $(CURDIR)/$(BIN):$(PATH)
export PYTHON TORCH

.PHONY: help demo sample paper test test-learning test-faults fuzz check chromium slurm setup tools explain multiqc testtools

help:
	@sed -n '/^#/!q; s/^# //p' Makefile

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

# What a processor without AVX-512 computes; elsewhere than on x86 it changes nothing.
AVX2 := ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2
LEARNING = $(BIN)/python -m pytest tests/unit -m learns

# Two at a time: most tests of the workflow and of Slurm wait for one thing or another.
test: check explain chromium slurm
	@{ $(BIN)/python -m pytest tests/workflow && $(AVX2) $(LEARNING); } & workflow=$$!; \
	    $(BIN)/python -m pytest tests/unit tests/fuzz tests/slurm; others=$$?; \
	    wait $$workflow && exit $$others

test-learning: testtools
	@$(LEARNING) --seeds 10
	@$(AVX2) $(LEARNING) --seeds 10

test-faults: testtools chromium slurm
	@$(BIN)/python -m pytest tests/slurm tests/workflow/test_scheduling.py -m "" -v --durations=0

fuzz: SECONDS ?= 3600
fuzz: testtools
	@FUZZ_SECONDS=$(SECONDS) FUZZ_SEED=$$(date +%s) $(BIN)/python -m pytest tests/fuzz -s

check: testtools
	@$(BIN)/ruff check
	@$(BIN)/ruff format --check
	@$(BIN)/mypy
	@$(BIN)/snakefmt --check Snakefile workflow/rules
	@$(BIN)/snakemake --lint

# Only the test that opens the report needs a browser, and only tests/slurm needs Slurm; they skip themselves, with the
# reason, where there is none.
chromium: PACKAGES := chromium
slurm: PACKAGES := slurm-wlm munge
chromium slurm: export PATH := $(PATH):/usr/sbin:/sbin
chromium slurm: export DEBIAN_FRONTEND := noninteractive
chromium slurm:
	@command -v $(lastword $(PACKAGES:munge=munged)) >/dev/null || [ "$$(id -u)" != 0 ] || \
	    ! command -v apt-get >/dev/null || { echo "Installing $(PACKAGES) for the tests ..."; \
	    { apt-get update -qq && apt-get install -y -qq --no-install-recommends $(PACKAGES); } >/dev/null 2>&1; } || \
	    echo "$(PACKAGES) could not be installed: the tests that need it will be skipped"

setup: tools .venv/.complete
testtools: setup .venv/.complete-test
explain: setup .venv/.complete-explain
multiqc: setup .venv/.complete-multiqc

tools:
	@scripts/tools.sh

.venv/.complete: requirements.lock pyproject.toml | tools
	@scripts/setup.sh

.venv/.complete-%: requirements-%.lock .venv/.complete
	@scripts/setup.sh $*
