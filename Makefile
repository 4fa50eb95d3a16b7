# velostream_nb. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.installed
TESTED := $(VENV)/.installed-test

.DEFAULT_GOAL := help
.PHONY: demo run-short test lint bench bench-check clean help install chromium

demo: $(STAMP) ## install into .venv, run the trading demo, print the dashboard's address (DEMO_DURATION, SQL_SERVER_PORT)
	@exec $(BIN)/velo demo

run-short: $(STAMP) ## the demo for one minute
	@exec $(BIN)/velo demo --minutes 1

test: $(TESTED) chromium lint ## install what the tests need, check style and types, run all tests
	$(BIN)/pytest -n auto --dist loadfile

lint: $(TESTED) ## style and types
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(TESTED) ## measure and print the table: QUICK=1 in two minutes; see benchmarks/README.md for BENCH_…
	@$(BIN)/python -m benchmarks

bench-check: $(TESTED) ## name what became slower: OLD=a.json NEW=b.json; without, the reference and the newest result
	@$(BIN)/python -m benchmarks.check $(OLD) $(NEW)

install: $(STAMP) ## install into .venv and no more

clean: ## remove .venv and everything that was made
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis benchmarks/.envs benchmarks/data benchmarks/results tests/screens
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
	  echo "error: velostream_nb needs Python 3.11 or newer, and '$(PYTHON)' is: $$($(PYTHON) --version 2>&1 || true)"; \
	  echo "hint: install one, then: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "error: $(PYTHON) cannot make a virtual environment"; \
	  echo "hint: on Debian and Ubuntu: apt-get install python3-venv"; rm -rf $(VENV); exit 1; }

# the stamps are newer than pyproject.toml exactly when what it names is installed
$(STAMP): pyproject.toml | $(BIN)/python
	@echo "installing velostream_nb into $(VENV): a minute, once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(TESTED): pyproject.toml | $(BIN)/python
	@echo "installing velostream_nb and what its tests need into $(VENV): a minute, once"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[test]'
	@touch $@ $(STAMP)

# browser tests drive a real Chromium; without one they are skipped, except where CI asks for everything
chromium:
	@command -v chromium >/dev/null || command -v chromium-browser >/dev/null || { \
	  if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	    echo "installing Chromium for the browser tests"; \
	    apt-get update -qq >/dev/null && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	  else \
	    echo "no Chromium found: the browser tests need it (on Debian: sudo apt-get install chromium)"; \
	    test -z "$$CI"; \
	  fi; }
