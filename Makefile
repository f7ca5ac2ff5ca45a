# Needs Python 3.11 or later, git and make. Everything else comes from the committed locks, into .venv.
#
# What sets things up speaks on stderr only: the standard output of `make demo` is the log, as JSON lines.

MAKEFLAGS += --no-print-directory --no-builtin-rules
.NOTPARALLEL:
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

# The interpreter that makes the environments: `make test PYTHON=python3.13`.
PYTHON ?= $(shell for python in python3 python3.13 python3.12 python3.11 python; do \
	$$python -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 && echo $$python && break; done)

VENV := .venv
BIN := $(VENV)/bin
PY := $(BIN)/python
BUILD := .build
PIP := $(PY) -m pip --disable-pip-version-check --no-input install --quiet --require-hashes
SOURCES = $(shell find protocol inspector tui -type f ! -name "*.pyc" 2>/dev/null)

.PHONY: help demo test lint types unit smoke bench fuzz screenshots lock format clean

help: ## this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/.runtime ## a demo host and the terminal app on it; without a terminal, its log as JSON lines
	@exec $(BIN)/inspector-tui demo

test: lint types smoke unit ## all gates: ruff, mypy, the wheel, every test, coverage

lint: $(VENV)/.dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: $(VENV)/.dev
	@$(BIN)/mypy

unit: $(VENV)/.dev
	@$(PY) -m coverage erase
	@$(PY) -m coverage run -m pytest
	@$(PY) -m coverage combine --quiet
	@$(PY) -m coverage report --include='protocol/*' --fail-under=100
	@$(PY) -m coverage report --include='inspector/*' --fail-under=95
	@$(PY) -m coverage report --include='tui/*' --fail-under=95

smoke: $(BUILD)/.smoked ## the wheel, in an environment of its own: both commands, one action, one log line

bench: $(VENV)/.dev ## the figures of docs/benchmarks.md, with their peers in the same run
	@$(PY) -m tests.bench

fuzz: $(VENV)/.dev ## hostile peers against two hosts, for a minute: `make fuzz FUZZ=10m`, `FUZZ_SEED=…` for the same again
	@FUZZ='$(FUZZ)' FUZZ_SEED='$(FUZZ_SEED)' $(PY) -m tests.fuzz

screenshots: $(VENV)/.dev ## the pictures under docs/, taken from the running app
	@$(PY) docs/screenshots.py

# Keeps what is pinned unless told otherwise: `make lock LOCKFLAGS=--upgrade`.
lock: $(VENV)/.dev ## the three locks, anew from pyproject.toml
	@$(COMPILE) -o requirements.lock pyproject.toml
	@$(COMPILE) -o requirements-build.lock --group build
	@$(COMPILE) -o requirements-dev.lock -c requirements.lock -c requirements-build.lock --group build --group dev pyproject.toml

COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command 'make lock' $(LOCKFLAGS)

format: $(VENV)/.dev ## the source, as `make test` wants it
	@$(BIN)/ruff check --quiet --fix .
	@$(BIN)/ruff format --quiet .

clean: ## away with the environment and all that was made
	@rm -rf $(VENV) $(BUILD) dist build htmlcov .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
	@find protocol inspector tui tests docs -type d -name __pycache__ -prune -exec rm -rf {} + 2>/dev/null || true

$(PY):
	@test -n "$(PYTHON)" || { echo 'make: no Python 3.11 or later found: install one, or name it with PYTHON=' >&2; exit 1; }
	@$(PYTHON) -m venv $(VENV) >&2 || { rm -rf $(VENV); \
	  echo 'make: $(PYTHON) has no working venv module (on Debian and Ubuntu it is a package of its own, python3-venv)' >&2; exit 1; }

# Only what a user installs, and the backend that makes the package importable from here.
$(VENV)/.runtime: requirements.lock requirements-build.lock pyproject.toml | $(PY)
	@echo 'make: installing the locked dependencies' >&2
	@$(PIP) -r requirements.lock -r requirements-build.lock >&2
	@$(PY) -m pip --disable-pip-version-check --no-input install --quiet --no-deps --no-build-isolation --editable . >&2
	@touch $@

$(VENV)/.dev: requirements-dev.lock $(VENV)/.runtime
	@echo 'make: installing the locked tools of the gates' >&2
	@$(PIP) -r requirements-dev.lock >&2
	@touch $@

$(BUILD)/.smoked: $(SOURCES) pyproject.toml README.md LICENSE requirements.lock .ci/smoke.py $(VENV)/.dev
	@rm -rf $(BUILD)/dist
	@$(PY) -m build --no-isolation --outdir $(BUILD)/dist . >&2
	@$(PY) .ci/smoke.py $(BUILD)/dist/*.whl
	@touch $@
