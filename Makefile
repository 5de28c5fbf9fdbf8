# The commands of this project. They need python3 (3.11 or later, with venv), git and make; everything else is got.
PYTHON ?= python3
BIN     = .venv/bin
# Tests of one file stay together: they share a cloud or a stack. The longest files begin first. Half of the time is
# waiting, so four processes suit two cores. WORKERS=0 runs all in one process.
WORKERS ?= 4
PYTEST  = $(BIN)/pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder
# .venv's own Python when it is there: version managers' stand-ins for python3 take a tenth of a second to start.
RUN     = python=$(PYTHON); if [ -x $(BIN)/python ]; then python=$(BIN)/python; fi; \
          command -v $$python >/dev/null || { echo "Python 3.11 or later is needed, and $(PYTHON) is not on PATH."; \
          echo "  next: install it, or make PYTHON=/path/to/python3"; exit 1; } >&2; $$python -S -m toolchain

# What mypy learns about libraries takes minutes; other checkouts need not learn it again.
export MYPY_CACHE_DIR ?= $(or $(ORACLE_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/oracle-net)/mypy

# Compiled code is kept also where the environment says otherwise: else each process compiles the project anew, and each
# of pytest's processes all tests.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: help up down test test-all check chaos tools lock clean

help:  ## these lines
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ready  ## the whole network on the local cloud (ARGS="…" go to `oracle up`)
	@$(BIN)/oracle up $(ARGS)

down: ready  ## stop the local cloud; its apps, data and addresses are kept
	@$(BIN)/oracle down $(ARGS)

test:  ## every check, and the tests but the slow ones (ARGS="…" go to pytest)
	@echo "Checks and tests, side by side: about nine minutes on two cores."
	@$(MAKE) --no-print-directory -j 3 lint types quick-tests

test-all:  ## the slow tests too
	@echo "Checks and all tests, side by side: much longer than make test."
	@$(MAKE) --no-print-directory -j 3 lint types all-tests

chaos: ready  ## wipes, releases and undos with every API call failing in turn, and kill -9 of everything (an hour and more)
	@$(BIN)/python -m tests.chaos $(ARGS)

check: lint types  ## ruff and mypy

# What `test`, `test-all` and `check` are made of.
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

tools:  ## get what is missing, and say what is used
	@$(RUN) ensure

lock: ready  ## write the lock files again after a change of a pin
	@$(RUN) lock

clean:  ## remove .venv and what tests leave; the cache and the local cloud's state stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.oracle/*' -prune -exec rm -rf {} +

.PHONY: ready
ready:
	@$(RUN) ensure --quiet
