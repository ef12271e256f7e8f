.DEFAULT_GOAL := help
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

help:  ## Show this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-8s %s\n", $$1, $$2}'

setup: $(STAMP)  ## Make .venv and install mllc into it (about 5 GB with torch's CUDA build)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "mllc needs Python 3.11 or newer; this is `$(PYTHON) --version`. Type: make PYTHON=python3.12 ..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	@touch $@

demo: setup  ## Compare six losses on the embedded digit sheet, ending in the table
	$(BIN)/mllc sweep sweep=demo out=runs/demo

test: setup  ## Run the tests, the slow ones apart (those that need a GPU are skipped without one)
	$(BIN)/python -m pytest -m 'not slow' -n 2

slow: setup  ## Run the slow tests: whole comparisons, kills and resumes, every README command
	$(BIN)/python -m pytest -m slow

check: setup  ## Lint, format check, types, import directions
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/pyright
	$(BIN)/lint-imports

bench: setup  ## Run the benchmarks, writing benchmarks/results
	for script in startup data data_reading train epoch order cohort losses metrics verdict report demo sweep_growth; do $(BIN)/python benchmarks/$$script.py || exit 1; done

clean:  ## Remove .venv, caches and build output (not runs/)
	rm -rf $(VENV) build dist .pytest_cache .ruff_cache .import_linter_cache .hypothesis *.egg-info
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.PHONY: help setup demo test slow check bench clean
