# dosage: `make demo` runs the main job on the embedded world, `make test` passes the tests; both set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE := store
export OMP_NUM_THREADS := 1
export MPLBACKEND := Agg

.PHONY: help setup demo test check bench clean

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /\1 \t/p' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## a virtual environment with what `make demo` needs

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "dosage needs Python 3.11 to 3.13; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[train,eval]'
	@touch $@

$(VENV)/.developer: $(VENV)/.installed
	$(BIN)/pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@

demo: setup  ## sweep data amounts over the embedded world, then curves and report
	$(BIN)/python -m sweep +grid=data_amount -m store=$(STORE)
	$(BIN)/python -m analysis sweep=data_amount store=$(STORE)

test: $(VENV)/.developer  ## all tests
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: $(VENV)/.developer  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.developer  ## the measures of docs/benchmarks.md
	$(BIN)/python -m tests.bench

clean:  ## remove the virtual environment and the caches, never the store
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
