# Everything a newcomer types. Each target does all the set-up it needs; the second time is fast.
PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
READY = $(VENV)/.ready
RESOLVE = $(BIN)/uv pip compile pyproject.toml --extra dev --universal --python-version 3.11 --generate-hashes \
  --no-header --no-emit-index-url --no-emit-find-links --quiet --output-file requirements.lock
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run test lint format repro verdict release ui bench lock upgrade clean

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z]+:.*## / { printf "  make %-8s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## virtual environment, locked install with hashes, DVC initialised

$(READY): requirements.lock pyproject.toml
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --require-hashes --no-deps -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@test -d .dvc || $(BIN)/dvc init --quiet
	@touch $(READY)

run: $(READY)  ## run the governed pipeline and read its verdict
	@$(BIN)/clearance run --any-verdict

test: $(READY)  ## run every test
	$(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder

lint: $(READY)  ## style, types, architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

repro: $(READY)  ## the same stages through plain DVC
	@$(BIN)/clearance repair
	@$(BIN)/clearance snapshot
	$(BIN)/dvc repro

verdict: $(READY)  ## print the last verdict as Markdown; fails unless it is a pass
	@$(BIN)/clearance verdict --markdown

release: $(READY)  ## record the judged model and promote it if the evidence allows
	@$(BIN)/clearance track
	@$(BIN)/clearance release

ui: $(READY)  ## Prefect and MLflow in the browser, with a worker that runs what you start there
	@$(BIN)/python -m flows.ui

bench: $(READY)  ## measure speed and memory, as ratios against peers
	$(BIN)/python -m benchmarks

lock: $(READY)  ## resolve the dependencies again; pins that still fit stay
	$(RESOLVE)

upgrade: $(READY)  ## resolve the dependencies again, each to its newest release
	$(RESOLVE) --upgrade

clean:  ## remove outputs and state; sources, the DVC cache and the registry stay
	rm -rf data/raw.parquet data/origin.json data/prepared data/scored models reports .clearance .prefect
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
