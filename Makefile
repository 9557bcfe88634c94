# make demo, make test: everything on a fresh machine. `make` alone lists the targets.
CONFIG ?= config.yaml
CORES ?= all
PORT ?= 5000
WORKERS ?= 2
# of make ui-server: what it keeps, where it listens, AUTH=1 to ask for a name and a password
FOLDER ?= server
HOST ?= 127.0.0.1
AUTH ?=
PROFILE ?= default

PYTHON := .venv/bin/python
SNAKEMAKE := .venv/bin/snakemake
READY := .venv/.setup-complete
# the preset's own folder of outputs, if it names one
RESULTS := $(or $(shell sed -n 's/^results:[[:space:]]*\([^[:space:]\#]*\).*/\1/p' $(CONFIG) | tr -d "\"'"),results)
WORKFLOW := $(SNAKEMAKE) --workflow-profile workflow/profiles/default \
	$(if $(filter-out config.yaml,$(CONFIG)),--configfile $(CONFIG))

.DEFAULT_GOAL := help
.PHONY: help setup demo recover test test-cluster test-ui lint ui ui-server clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything in it, graph-tool included

$(READY): pyproject.toml envs/constraints.txt envs/setup.sh
	@envs/setup.sh

demo: $(READY) ## run the whole workflow and its report (CONFIG=workflow/presets/tiny.yaml, CORES=2)
	$(WORKFLOW) --cores $(CORES)
	$(WORKFLOW) --report $(RESULTS)/report.html
	@printf '\n%-14s %s\n' \
		'figures' '$(RESULTS)/figures/' \
		'table' '$(RESULTS)/metrics.csv' \
		'report' '$(RESULTS)/report.html' \
		'MLflow store' "$${MLFLOW_TRACKING_URI:-$(RESULTS)/mlflow.db} (look at it with: make ui)"

recover: $(READY) ## after Snakemake was killed: cancel what it left, unlock, finish (PROFILE=slurm)
	$(PYTHON) workflow/recover.py --workflow-profile workflow/profiles/$(PROFILE) \
		$(if $(filter default,$(PROFILE)),--cores $(CORES)) \
		$(if $(filter-out config.yaml,$(CONFIG)),--configfile $(CONFIG))

test: $(READY) ## run the tests (WORKERS=2 processes)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n $(WORKERS) --dist loadfile

test-cluster: $(READY) ## run the workflow on a real, throw-away Slurm of two nodes, and break it (root)
	@tests/cluster/slurm.sh install
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests/cluster

test-ui: $(READY) ## test MLflow's server on PostgreSQL, and its pages in headless Chromium
	@tests/services/install.sh
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests/services

lint: $(READY) ## check format, style and types of the code and the workflow
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/snakefmt --check Snakefile workflow
	$(SNAKEMAKE) --lint

ui: $(READY) ## show the experiment record on http://127.0.0.1:5000 (PORT=5000)
	@case "$${MLFLOW_TRACKING_URI:-}" in \
	http*) echo "the record is on the server $$MLFLOW_TRACKING_URI"; exit 0 ;; \
	'') test -f $(RESULTS)/mlflow.db || { echo "$(RESULTS)/mlflow.db: no such file; run make demo first" >&2; exit 1; } ;; \
	esac; \
	test ! -f $(RESULTS)/tracking/store.json || $(PYTHON) -m graphprune.tracking.view \
		http://127.0.0.1:$(PORT) $(RESULTS)/tracking/store.json; \
	MLFLOW_DISABLE_TELEMETRY=true MLFLOW_SERVER_ENABLE_JOB_EXECUTION=false \
		exec .venv/bin/mlflow ui --workers 1 --host 127.0.0.1 --port $(PORT) \
		--backend-store-uri "$${MLFLOW_TRACKING_URI:-sqlite:///$(RESULTS)/mlflow.db}"

ui-server: $(READY) ## a shared MLflow server with PostgreSQL (FOLDER=server, HOST=, PORT=, AUTH=1)
	@exec $(PYTHON) -m graphprune.tracking.server --folder $(FOLDER) --host $(HOST) --port $(PORT) \
		$(if $(AUTH),--auth)

clean: ## remove the results and all caches
	rm -rf $(RESULTS) .snakemake .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
	find graphprune workflow tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf .venv *.egg-info
