# The commands of this project. They need python3 (3.11 or later, with venv), git and make; everything else is got.
PYTHON ?= python3
TOOLS   = $(PYTHON) -S -m toolchain ensure --quiet
BIN     = .venv/bin

.PHONY: help up down test check tools lock clean

help:  ## these lines
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-7s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

up: ready  ## the whole network on the local cloud (ARGS="…" go to `oracle up`)
	@$(BIN)/oracle up $(ARGS)

down: ready  ## stop the local cloud; its apps, data and addresses are kept
	@$(BIN)/oracle down $(ARGS)

test: check  ## every check and test (ARGS="…" go to pytest)
	@$(BIN)/pytest $(ARGS)

check: ready  ## ruff and mypy
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --check --quiet .
	@$(BIN)/mypy --no-error-summary

tools:  ## get what is missing, and say what is used
	@$(PYTHON) -S -m toolchain ensure

lock: ready  ## write the lock files again after a change of a pin
	@$(BIN)/python -m toolchain lock

clean:  ## remove .venv and what tests leave; the cache and the local cloud's state stay
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache *.egg-info
	@find . -name __pycache__ -type d -not -path './.oracle/*' -prune -exec rm -rf {} +

.PHONY: ready
ready:
	@$(TOOLS)
