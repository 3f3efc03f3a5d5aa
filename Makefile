# The commands of the project. Each target does the set-up it needs; the second time is fast.
PYTHON ?= python3.11
VENV ?= .venv
BIN = $(VENV)/bin
BASE = $(VENV)/.ready
# The optional libraries: those asked for, and those that an earlier `make setup EXTRAS=…` installed.
EXTRAS ?=
READY = $(BASE) $(sort $(EXTRAS:%=$(VENV)/.extra-%) $(wildcard $(VENV)/.extra-*))
TEST = env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n 2 --dist loadfile --no-loadscope-reorder
INSTALL = $(BIN)/python -m pip install --quiet --disable-pip-version-check --compile --require-hashes --no-deps
RESOLVE = $(BIN)/uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
  --no-emit-find-links --quiet
# What the README's commands need in a terminal where the environment is not active; said once a run has ended.
ACTIVE := $(findstring :$(abspath $(BIN)):,:$(PATH):)
ACTIVATE = $(if $(ACTIVE),:,echo "activate . $(BIN)/activate   (then \`clearance status\` and the README's commands work)")
export PATH := $(abspath $(BIN)):$(PATH)

.DEFAULT_GOAL := help
.PHONY: help setup run test test-fast nightly coverage lint format docs repro verdict gate track rebuild release serve ui bench deps \
  schemas errors dashboard metrics image deploy-check lock upgrade clean reset

help:  ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

setup: $(READY)  ## create the environment from the locks, initialise DVC; EXTRAS="lightgbm xgboost catboost" adds libraries
	@$(ACTIVATE)

$(BASE): requirements.lock pyproject.toml
	@echo "Setting up $(VENV) from requirements.lock, once: about two minutes, mostly downloads."
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(INSTALL) -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@test -d .dvc || $(BIN)/dvc init --quiet
	@touch $(BASE)

$(VENV)/.extra-%: requirements-%.lock $(BASE)
	$(INSTALL) -r $<
	@touch $@

run: $(READY)  ## run the governed pipeline and print its verdict
	@$(BIN)/clearance run --any-verdict
	@$(ACTIVATE)

test: $(READY)  ## run every test
	$(TEST)

test-fast: $(READY)  ## run the tests that need neither a server nor a pipeline
	$(TEST) -m "not slow"

nightly: $(READY)  ## run every test with its long matrices, then every attack and crash study
	CLEARANCE_NIGHTLY=1 $(TEST)
	$(BIN)/python -m assurance

coverage: $(READY)  ## run the fast tests and list the lines they do not reach
	$(TEST) -m "not slow" --cov --cov-report=term

lint: $(READY)  ## check style, types and architecture
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)  ## rewrite the code in the house style
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

docs: $(READY)  ## build the documentation site in site/, offline; a warning is an error
	@rm -rf site
	$(BIN)/python -m sphinx --quiet --fail-on-warning --keep-going -c docs/website . site

repro: $(READY)  ## run the same stages with plain DVC
	@$(BIN)/clearance check
	@$(BIN)/clearance repair
	@$(BIN)/clearance snapshot
	$(BIN)/dvc repro

verdict: $(READY)  ## print the last verdict as Markdown; fails unless it is a pass
	@$(BIN)/clearance verdict --markdown

track: $(READY)  ## record the judged model and its artefacts in MLflow
	@$(BIN)/clearance track

gate: $(READY)  ## fail unless the last verdict and the comparison with the champion pass; for CI
	@$(BIN)/python -m tools.gate

rebuild: $(READY)  ## build candidate VERSION again in a new environment from its lock, and sign the result
	@$(BIN)/clearance reproduce "$$VERSION" --attest --fresh

release: $(READY)  ## record the judged model, and promote it if the evidence allows
	@$(BIN)/clearance track
	@$(BIN)/clearance release

serve: $(READY)  ## answer decisions of the champion over HTTP, each on record
	@$(BIN)/clearance serve

ui: $(READY)  ## open Prefect and MLflow in the browser, with a worker that runs what you start there
	@$(BIN)/python -m flows.ui

bench: $(READY)  ## measure speed and memory, as ratios against peers
	$(BIN)/python -m benchmarks

deps: $(READY)  ## write the code dependencies of every stage into dvc.yaml
	$(BIN)/python -m tools.code_deps

schemas: $(READY)  ## write the JSON Schemas of documents, ledger entries and policies
	$(BIN)/python -m tools.schemas

errors: $(READY)  ## write the reference of error codes, docs/errors.md
	$(BIN)/python -m tools.error_reference

dashboard: $(READY)  ## write the Grafana dashboard, deploy/grafana/clearance.json
	$(BIN)/python -m tools.grafana_dashboard

metrics: $(READY)  ## write the tables of metrics in docs/fairness.md
	$(BIN)/python -m tools.metric_table

# What builds the image, and from which base: best one by its digest, from a registry that you trust.
ENGINE ?= buildah
PYTHON_IMAGE ?= python:3.11-slim-bookworm
IMAGE_FLAGS ?=
CHECKERS = .venv-deploy

image: $(READY)  ## build the container image of HEAD; ENGINE=docker, PYTHON_IMAGE=…
	$(BIN)/python -m tools.image --engine $(ENGINE) --base $(PYTHON_IMAGE) $(IMAGE_FLAGS)

# A checker that cannot be installed is skipped, and `tools.deploy_check` says so.
$(CHECKERS)/.ready: deploy/checkers/requirements.lock deploy/checkers/package-lock.json
	test -x $(CHECKERS)/bin/python || $(PYTHON) -m venv $(CHECKERS)
	-$(CHECKERS)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps --requirement $<
	cp deploy/checkers/package.json deploy/checkers/package-lock.json $(CHECKERS)
	-cd $(CHECKERS) && npm ci --silent --no-audit --no-fund --ignore-scripts
	@touch $@

deploy-check: $(READY) $(CHECKERS)/.ready  ## check image, manifests and CI files without a cluster
	$(BIN)/python -m tools.deploy_check

lock: $(BASE)  ## resolve the dependencies again, keeping every pin that still fits
	$(RESOLVE) $(UPGRADED) pyproject.toml --extra dev --output-file requirements.lock
	for extra in catboost evidently lightgbm onnx xgboost; do \
	  $(RESOLVE) $(UPGRADED) --group $$extra --constraint requirements.lock --output-file requirements-$$extra.lock || exit 1; \
	done

upgrade: UPGRADED = $(if $(PACKAGE),--upgrade-package $(PACKAGE),--upgrade)
upgrade: lock  ## resolve them again, moving each to its newest release, or with PACKAGE=name that one alone

# What the next run makes again. Ledger, keys, signed evidence, Prefect's history and MLflow's registry are not among it.
OUTPUTS = data/raw.parquet data/origin.json data/prepared data/scored models reports
SCRATCH = $(addprefix .clearance/,logs data_docs duckdb matplotlib numba workspaces)
CACHES = .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache .coverage site
RECORDS = .clearance .prefect mlflow.db mlflow.db-shm mlflow.db-wal mlruns mlartifacts

clean:  ## remove outputs, logs and caches; the next run makes them again
	rm -rf $(OUTPUTS) $(SCRATCH) $(CACHES)

reset:  ## forget everything this project ever decided, for good; asks first
	@echo "This deletes for good, with no way back:"
	@echo "  .clearance        the ledger, its checkpoints, signing keys, signed evidence"
	@echo "  .prefect          the history of runs"
	@echo "  mlflow.db mlruns  every tracked run and registered model; there is no champion afterwards"
	@echo "A ledger or an MLflow server elsewhere, DVC's cache and your sources stay."
	@printf 'Type the name of this folder (%s) to go on: ' "$(notdir $(CURDIR))"; read answer; \
	  test "$$answer" = "$(notdir $(CURDIR))" || { echo; echo "Nothing was deleted."; exit 1; }
	rm -rf $(OUTPUTS) $(RECORDS) $(CACHES)
