# Two commands: `make demo` and `make test`. Both install what they need into $(VENV) first.
PYTHON ?= $(shell command -v python3.11 || command -v python3)
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

# On a GPU: its number, and the CUDA that its driver knows (nvidia-smi shows it).
GPU ?= -1
CUDA ?= $(or $(patsubst $(VENV)/.installed-cuda%,%,$(wildcard $(VENV)/.installed-cuda*)),13x)
# The torch for each: the package index's last for CUDA 12, and the one that is pinned.
TORCH_12x := 2.10.0
TORCH_13x := $(shell sed -n 's/^torch==//p' constraints.txt)
FOR_CUDA := $(VENV)/.installed-cuda$(CUDA)
ON_GPU := $(filter-out -1,$(GPU))
# Interprets the kernels for GPUs in the tests.
TRITON := $(VENV)/.installed-triton

.PHONY: help demo driver test test-ci test-all test-gpu check docs clean

help:
	@echo "make demo      build a pipeline from the sample corpus and show its entities;"
	@echo "               on a GPU: GPU=0, and CUDA=12x where its driver knows no CUDA 13"
	@echo "make test      run the quick tests, in minutes"
	@echo "make test-ci   also run those that start processes and build whole pipelines"
	@echo "make test-all  run all tests, which takes an hour"
	@echo "make test-gpu  run those that need a GPU"
	@echo "make check     lint, formatting and types"
	@echo "make docs      build the documentation site: site/index.html"
	@echo "make clean     remove what the above made, but for $(VENV)"

demo: $(if $(ON_GPU),driver $(FOR_CUDA),$(INSTALLED))
	$(if $(ON_GPU),$(BIN)/python -m spacy_hgn.backend.gpu $(GPU))
	$(BIN)/python -m spacy project run demo$(if $(ON_GPU), . --vars.gpu $(GPU))

test: $(INSTALLED) $(TRITON)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile

test-ci: $(INSTALLED) $(TRITON)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m 'not long'

test-all: $(INSTALLED) $(TRITON)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest --numprocesses auto --dist loadfile -m ''

test-gpu: driver $(FOR_CUDA)
	$(BIN)/python -m spacy_hgn.backend.gpu
	$(BIN)/python -m pytest tests/gpu -rs

# Before gigabytes are installed for it.
driver:
	@$(PYTHON) -m spacy_hgn.backend.gpu --driver $(CUDA)

check: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python scripts/make_sample_corpus.py --check

docs: $(INSTALLED) docs/tutorial.ipynb
	NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --quiet
	@echo "The documentation is in site/index.html; to read it with the search:"
	@echo "$(BIN)/python -m http.server --directory site"

docs/tutorial.ipynb: docs/tutorial.md | $(INSTALLED)
	$(BIN)/jupytext --quiet --to ipynb --output $@ $<

$(INSTALLED): pyproject.toml constraints.txt
	@test -n "$(PYTHON)" && $(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Needs Python 3.11 or newer (tried: $(PYTHON)). Install it, or say where it is: make $(MAKECMDGOALS) PYTHON=/path/to/python3.11"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' || \
		{ echo "$(PYTHON) can't make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

# === is this build alone: not one for the CPU, which pip would leave where it is.
$(FOR_CUDA): $(INSTALLED)
	$(BIN)/python -m pip uninstall --quiet --yes cupy-cuda12x cupy-cuda13x 2>/dev/null
	sed -e 's/^torch==.*/torch===$(TORCH_$(CUDA))/' -e '/^triton==/d' constraints.txt > $(VENV)/constraints.txt
	$(BIN)/python -m pip install --quiet --constraint $(VENV)/constraints.txt --editable '.[dev,cuda$(CUDA)]'
	@rm -f $(VENV)/.installed-cuda*
	@touch $@

$(TRITON): $(INSTALLED)
	@$(BIN)/python -c 'import triton' 2>/dev/null || $(BIN)/python -m pip install --quiet \
		--constraint constraints.txt 'triton; sys_platform == "linux"'
	@touch $@

clean:
	rm -rf corpus metrics packages training project.lock build dist site
