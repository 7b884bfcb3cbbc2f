# Every target sets up what it needs: a virtual environment in .venv, filled once from requirements-dev.lock (versions and
# hashes). PYTHON names the interpreter that makes it; at least 3.11. ARGS go to the command: make run ARGS=--no-sidecar
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready
ARGS ?=

.PHONY: help demo run test test-live test-machine lint bench docs deb clean

help:  ## show the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: $(READY)  ## a real model server with a bad setting, the advice, the measured gain
	$(BIN)/nodewright demo $(ARGS)

run: $(READY)  ## the agent in the foreground
	$(BIN)/nodewright run $(ARGS)

test: $(READY)  ## the tests: what is computed two at a time, then what watches real programs
ifeq ($(ARGS),)
	$(BIN)/pytest -n 2 -m 'not heavy and not alone'
	$(BIN)/pytest -m 'not heavy and alone' --durations=30
else
	$(BIN)/pytest $(ARGS)
endif

test-live: $(READY)  ## what `test` leaves out for its size or length, and what was measured on servers of every kind
	$(BIN)/pytest -m heavy -rP $(ARGS)
	$(BIN)/pytest -m 'live and not heavy' -rP $(ARGS) $(wildcard tests/live/test_recognised_*.py)

test-machine: $(READY)  ## the package and docs/install.md in a bare Debian that boots in namespaces (root, debootstrap)
	$(BIN)/pytest -m '' -rP tests/machine $(ARGS)

lint: $(READY)  ## format, lint, direction of imports, types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/lint-imports
	$(BIN)/mypy

bench: $(READY)  ## what watching costs on this machine
	$(BIN)/python bench/run.py $(or $(ARGS),all)

docs: $(READY)  ## docs/reference.md and the dashboards, from the code
	$(BIN)/python docs/reference.py $(ARGS)
	$(BIN)/python deploy/grafana/dashboards.py $(ARGS)

deb: $(READY)  ## the Debian package, in dist/
	$(BIN)/python deploy/deb/build.py dist $(ARGS)

clean:  ## remove the environment and what was built
	rm -rf $(VENV) dist build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache

$(READY): requirements-dev.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "nodewright: setup: $(PYTHON) is older than 3.11 (make PYTHON=python3.12 ...)" >&2; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
	  { echo "nodewright: setup: $(PYTHON) has no venv (apt-get install python3-venv)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements-dev.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@
