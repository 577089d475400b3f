# Everything a newcomer types. Needs Python 3.11 or newer, make and git; nothing else, no root.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
STAMP := $(VENV)/.installed
# An environment of its own for the frameworks that the worker is compared with.
PEERS := .venv-peers
# `make demo ARGS=--json` passes ARGS on to the program.
ARGS ?=
# `make scenarios FULL=1` runs the stated sizes, `REPLAY=SEED` another schedule of faults.
FULL ?=
REPLAY ?=
# How every lock is compiled; `make lock` is named in it instead of this.
LOCKED := --universal --python-version 3.11 --no-emit-index-url --no-annotate --quiet \
  --custom-compile-command 'make lock'

.DEFAULT_GOAL := help
.PHONY: help setup demo test check lint types scenarios soak bench bench-peers bench-gpu lock lock-peers schemas chart deploy-check clean

help: ## explain each target
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup: $(STAMP) ## install the pinned dependencies and the program into .venv/bin/latentprint

$(STAMP): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Latentprint needs Python 3.11 or newer, this is " + sys.version.split()[0] + "; run make PYTHON=/path/to/python3.12")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(UV) || $(BIN)/python -m pip install --quiet uv
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

demo: setup ## real broker, real photos, real GAN images: verdicts live, then a summary
	@$(BIN)/latentprint demo $(ARGS)

test: setup ## run all tests, on real Kafka and Redis that they start themselves
	@$(BIN)/python -m pytest $(ARGS)

check: lint types test ## lint, types and tests: exactly what CI runs

lint: setup
	@$(BIN)/ruff check . && $(BIN)/ruff format --check .

types: setup
	@$(BIN)/mypy

scenarios: setup ## kill, stop, cut and starve workers; FULL=1 for the stated sizes
	@FULL=$(FULL) REPLAY=$(REPLAY) $(BIN)/python -m pytest tests/scenarios $(if $(FULL),--timeout=3600) $(ARGS)

soak: setup ## 45 minutes at half load: nothing may grow
	@FULL=1 SOAK_MINUTES=45 $(BIN)/python -m pytest tests/scenarios/test_soak.py --timeout=3600 $(ARGS)

bench: setup ## measure the worker's speed, stages and workers side by side; writes docs/speed.md
	@$(BIN)/python -m benchmarks.speed $(ARGS)

bench-peers: setup $(PEERS)/.installed ## measure beside other frameworks (Python 3.11, Linux x86_64); writes docs/peers.md
	@$(BIN)/python -m benchmarks.peers.measure $(ARGS)

bench-gpu: setup ## measure the worker on a GPU; writes docs/operations/gpu.md
	@$(BIN)/python -m benchmarks.gpu $(ARGS)

$(PEERS)/.installed: requirements.lock benchmarks/peers/requirements.lock
	@$(BIN)/python -c 'import sys; sys.exit(sys.version_info[:2] != (3, 11) and "the peers need Python 3.11, this is " + sys.version.split()[0])'
	@$(BIN)/python -m venv --clear --without-pip $(PEERS)
	@$(UV) pip install --quiet --python $(PEERS)/bin/python --require-hashes -r requirements.lock
	@$(UV) pip install --quiet --python $(PEERS)/bin/python --require-hashes --no-deps \
	  -r benchmarks/peers/requirements.lock
	@$(UV) pip install --quiet --python $(PEERS)/bin/python --no-deps --editable .
	@touch $@

lock: ## compile the requirements*.lock anew: all, what a worker needs of it, what builds it
	@test -x $(UV) || ($(PYTHON) -m venv $(VENV) && $(BIN)/python -m pip install --quiet uv)
	@$(UV) pip compile pyproject.toml --extra otel --extra demo --extra train --extra dev \
	  $(LOCKED) --generate-hashes -o requirements.lock
	@$(UV) pip compile pyproject.toml --extra otel $(LOCKED) --constraints requirements.lock \
	  -o requirements-worker.lock
	@printf 'hatchling\nuv\n' | $(UV) pip compile - $(LOCKED) --generate-hashes \
	  -o requirements-build.lock

lock-peers: setup ## compile benchmarks/peers/requirements.lock anew
	@$(BIN)/python -m benchmarks.peers.pins

schemas: setup ## write what is made of the code anew: schemas, docs/commands.md, tables of figures and rights
	@for page in schemas commands figures rights chart; do $(BIN)/python -m worker.documents.write_$$page || exit 1; done

chart: schemas ## render the chart's examples anew into tests/deploy/chart (needs Helm, or Go)
	@$(BIN)/python -m deploy.tools.chart

deploy-check: setup ## validate image, compose, chart and rules with what runs here; writes dist/sbom.json
	@$(BIN)/python -m deploy.tools.check

clean: ## remove the environment and everything generated
	rm -rf $(VENV) $(PEERS) .pytest_cache .mypy_cache .ruff_cache .hypothesis
