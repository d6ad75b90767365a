# The two commands of the README are `make serve` and `make test`.

PYTHON ?= python3
DATA ?= fer2013.zip
FERPLUS ?= fer2013new.csv
CONFIG ?= expression_0_2
RELEASE ?= models/expression-0.2.0
BIN := .venv-dev/bin

.PHONY: serve test test-browser check train bench clean
.DELETE_ON_ERROR:

serve: .venv/.ready
	.venv/bin/mien serve

test: .venv-dev/.ready
	$(BIN)/python -m pytest

test-browser: .venv-dev/.ready node_modules/axe-core/axe.min.js
	$(BIN)/python -m pytest tests/browser

# Checks accessibility; only tests use it.
node_modules/axe-core/axe.min.js:
	npm install --no-save --no-package-lock --no-audit --no-fund axe-core@4.14.1

check: .venv-dev/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# FER-2013 as downloaded -> runs/$(CONFIG)/ -> $(RELEASE). Each step goes on where it was stopped.
train: .venv-dev/.ready data/fer2013.npz
	$(BIN)/python -m training.train training/configs/$(CONFIG).py --data data/fer2013.npz
	$(BIN)/python -m training.export runs/$(CONFIG) --data data/fer2013.npz --out $(RELEASE)

data/fer2013.npz: | .venv-dev/.ready
	mkdir -p data
	$(BIN)/python -m training.dataset $(DATA) --ferplus $(FERPLUS) --out $@

bench: .venv-dev/.ready
	$(BIN)/python -m benchmarks.accuracy --data data/fer2013.npz

clean:
	rm -rf .venv .venv-dev .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage mien.egg-info node_modules

# The runtime alone: no TensorFlow, no test tools.
.venv/.ready: PACKAGES = --editable .
.venv/.ready: pyproject.toml constraints.txt

# Everything: service, training, tests.
.venv-dev/.ready: PACKAGES = --editable '.[dev]' ./training
.venv-dev/.ready: pyproject.toml training/pyproject.toml constraints.txt

%/.ready:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null \
		|| { echo 'mien needs Python 3.11 or newer: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo 'this Python cannot make environments: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $*
	$*/bin/pip install --quiet --constraint constraints.txt $(PACKAGES)
	touch $@
