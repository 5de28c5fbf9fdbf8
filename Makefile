# The commands of this project. They need python3 (3.11 or later, with venv), git and make. They download the rest.
PYTHON ?= python3
BIN     = .venv/bin
# Tests of one file run in one process, because they share a cloud or a stack. The longest files start first. Half of
# the time is waiting, so four processes suit two cores. WORKERS=0 runs all in one process.
WORKERS ?= 4
PYTEST  = $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# The Python of .venv, if it exists: the python3 wrappers of version managers take a tenth of a second to start.
RUN     = python=$(PYTHON); if [ -x $(BIN)/python ]; then python=$(BIN)/python; fi; \
          command -v $$python >/dev/null || { echo "Python 3.11 or later is needed, and $(PYTHON) is not on PATH."; \
          echo "Fix: install it, or run make PYTHON=/path/to/python3."; exit 1; } >&2; $$python -S -m toolchain

# mypy needs minutes to analyse the libraries; all checkouts share the result.
export MYPY_CACHE_DIR ?= $(or $(ORACLE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/oracle-net)/mypy

# Python writes compiled code to disk, even if the environment forbids it. Otherwise each process would compile the
# project again, and each process of pytest all tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up down test test-all check chaos tools lock clean

help:  ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ready  ## start the whole network on the local cloud (ARGS="…" go to `oracle up`)
	@$(BIN)/oracle up $(ARGS)

down: ready  ## stop the local cloud; its apps, data and addresses stay
	@$(BIN)/oracle down $(ARGS)

test:  ## run every check, and all tests except the slow ones (ARGS="…" go to pytest)
	@echo "Checks and tests, side by side: four to nine minutes on two cores."
	@$(MAKE) --no-print-directory -j 3 lint types quick-tests

test-all:  ## run every check, and all tests
	@echo "Checks and all tests, side by side: 20 to 40 minutes on two cores."
	@$(MAKE) --no-print-directory -j 3 lint types all-tests

chaos: ready  ## run wipes, releases and undos with each API call failing in turn, and kill -9 (an hour or more)
	@$(BIN)/python -m tests.chaos $(ARGS)

check: lint types  ## run ruff and mypy

# The parts of `test`, `test-all` and `check`.
.PHONY: lint types quick-tests all-tests
lint: ready
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .

types: ready
	@$(BIN)/mypy --no-error-summary

quick-tests: ready
	@$(PYTEST) -m "not slow" $(ARGS)

all-tests: ready
	@$(PYTEST) $(ARGS)

tools:  ## download missing tools, and list the versions in use
	@$(RUN) ensure

lock: ready  ## write the lock files after a change of a pinned version
	@$(RUN) lock

clean:  ## remove .venv and the files of tests; the cache and the local cloud's state stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.oracle/*' -prune -exec rm -rf {} +

.PHONY: ready
ready:
	@$(RUN) ensure --quiet
