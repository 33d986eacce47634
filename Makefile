# Every goal does all of its set-up: a virtual environment in .venv with the pinned packages of constraints.txt.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

.PHONY: demo test check bench wheel clean

$(READY): pyproject.toml constraints.txt
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install -q torch==2.13.0
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install -q -e '.[test,dev]'
	touch $@

## simulate, prepare, pretrain, finetune, evaluate, predict, report: demo/report.html
demo: $(READY)
	$(BIN)/python examples/demo.py demo

test: $(READY)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup $(PYTEST_OPTIONS)

check: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: $(READY)
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt $(BIN)/python -m pip install -q -e '.[bench]'
	$(BIN)/python benchmarks/startup.py
	$(BIN)/python benchmarks/crf.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/training.py
	$(BIN)/python benchmarks/preparation.py

## build the wheel, install it in an empty environment and simulate a genome with it
wheel: $(READY)
	rm -rf build/wheel && $(BIN)/python -m build -q --wheel --outdir build/wheel .
	$(PYTHON) -m venv --clear build/wheel/venv
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt build/wheel/venv/bin/python -m pip install -q torch==2.13.0
	PIP_CONSTRAINT=$(CURDIR)/constraints.txt build/wheel/venv/bin/python -m pip install -q build/wheel/*.whl
	build/wheel/venv/bin/dnaspt simulate --out build/wheel/genome

clean:
	rm -rf $(VENV) demo build dist
