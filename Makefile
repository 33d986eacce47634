# Every goal does all of its set-up: a virtual environment in .venv with the pinned packages of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export PIP_CONSTRAINT := $(CURDIR)/constraints.txt

# Which build of PyTorch: cuda (PyPI's; only on Linux does it bring CUDA) or cpu (from PyTorch's own index, half the disk).
# Without TORCH= on the command line it is cuda where nvidia-smi finds a GPU.
TORCH ?= $(shell nvidia-smi -L >/dev/null 2>&1 && echo cuda || echo cpu)
TORCH_CPU_INDEX := https://download.pytorch.org/whl/cpu

# Install PyTorch with the Python $(1). PyTorch's index has no other package at our versions: the last line gets those from PyPI,
# and PyTorch too where the index did not answer.
define install_torch
$(if $(filter cpu cuda,$(TORCH)),,$(error TORCH is $(TORCH); expected cpu or cuda))
test $(TORCH) = cuda \
  || $(1) -m pip install -q --no-deps --timeout 10 --retries 1 --index-url $(TORCH_CPU_INDEX) torch 2>/dev/null \
  || echo "$(TORCH_CPU_INDEX) gave no PyTorch: taking the default build"
$(1) -m pip install -q torch
endef

.PHONY: demo test workflow fuzz coverage check resolves results site bench wheel clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(call install_torch,$(BIN)/python)
	$(BIN)/python -m pip install -q -e '.[test,dev]'
	touch $@

## simulate, prepare, pretrain, finetune, evaluate, predict, report: demo/report.html
demo: $(READY)
	$(BIN)/python examples/demo.py demo

# Runs that are killed and resumed, studies in SLURM and Ray: `make test SLOW=1` tests these too, as continuous integration does.
ifneq ($(SLOW),)
PYTEST_OPTIONS += -m $(ALL_TESTS)
endif
ALL_TESTS := 'not workflow and not fuzz'

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_OPTIONS)

## the Snakemake workflow, run on a small genome: on this machine, and on a SLURM cluster of it where SLURM is installed
workflow: $(READY)
	$(BIN)/python -m pip install -q -e '.[workflow]'
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -m workflow $(PYTEST_OPTIONS)

# Other damage than last time: make fuzz FUZZ_SEED=1000000
FUZZ_SEED ?= 0
## damaged files by the thousand: each ends in a clean error, or in results that cannot be wrong
fuzz: $(READY)
	OMP_NUM_THREADS=1 FUZZ_SEED=$(FUZZ_SEED) $(BIN)/python -m pytest -n 2 -m fuzz $(PYTEST_OPTIONS)

## branch coverage of everything but the compiled kernels, which Python does not see
coverage: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup --cov --cov-report=term:skip-covered -m $(ALL_TESTS) $(PYTEST_OPTIONS)

## style and types; types for Windows and macOS, too, where other functions are missing
check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/mypy --platform win32 --cache-dir .mypy_cache/win32
	$(BIN)/mypy --platform darwin --cache-dir .mypy_cache/darwin

## can constraints.txt be met on every Python from 3.11 on, on Linux (with CUDA), macOS and Windows? Reads PyPI's metadata, installs nothing
resolves: $(READY)
	$(BIN)/uv pip compile -q --universal --python-version 3.11 --all-extras --constraint constraints.txt pyproject.toml >/dev/null

## fill every measured number of README, CHANGELOG and docs, and the CSV tables of the studies, from their records
results: $(READY)
	$(BIN)/python benchmarks/make_results.py

## run the tutorials, build the site into site/, and look for addresses of other hosts in it: site/index.html
site: $(READY)
	$(BIN)/python -m pip install -q -e '.[site]'
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python docs/run_tutorials.py
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build -q --strict
	DNASPT_SITE=$(CURDIR)/site $(BIN)/python -m pytest -q tests/site

bench: $(READY)
	$(BIN)/python -m pip install -q -e '.[bench]'
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/crf.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/preparation.py

## build the wheel, install it in an empty environment and simulate a genome with it
wheel: $(READY)
	rm -rf build/wheel && $(BIN)/python -m build -q --wheel --outdir build/wheel .
	$(PYTHON) -m venv --clear build/wheel/venv
	$(call install_torch,build/wheel/venv/bin/python)
	build/wheel/venv/bin/python -m pip install -q build/wheel/*.whl
	build/wheel/venv/bin/dnaspt simulate --out build/wheel/genome

clean:
	rm -rf $(VENV) demo site build dist
