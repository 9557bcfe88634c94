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
# of make test-mutation: which areas, all of them if it is empty
AREAS ?=
# the programs get them through the environment, as they are: neither make nor a shell expands them
OPTIONS := CONFIG CORES PORT WORKERS FOLDER HOST AUTH PROFILE AREAS
$(foreach option,$(OPTIONS),$(eval override $(option) := $$(value $(option))))
export $(OPTIONS)

PYTHON := .venv/bin/python
READY := .venv/.setup-complete
TARGETS := $(PYTHON) workflow/targets.py

.DEFAULT_GOAL := help
.PHONY: help setup lock demo recover verify archive test test-runs test-oldest test-newest test-cluster test-ui \
	test-mutation test-fuzz test-faults lint ui ui-server clean distclean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(READY) ## make .venv with everything in it, graph-tool included

$(READY): pyproject.toml envs/lock.txt envs/torch.txt envs/setup.sh
	@envs/setup.sh

lock: $(READY) ## write envs/lock.txt, the tested versions with their hashes, after pyproject.toml
	@envs/lock.sh

demo: $(READY) ## run the whole workflow and its report (CONFIG=workflow/presets/tiny.yaml, CORES=2)
	@$(TARGETS) run
	@$(TARGETS) report
	@$(TARGETS) places

recover: $(READY) ## after Snakemake was killed: cancel what it left, unlock, finish (PROFILE=slurm)
	@$(TARGETS) recover

verify: $(READY) ## name what in the results was damaged or does not belong there
	@$(TARGETS) verify

archive: $(READY) ## pack results, configuration and source into results.zip, an RO-Crate
	@$(TARGETS) archive

# in the order of tests/conftest.py
FILES = --dist loadfile --no-loadscope-reorder

test: $(READY) ## run the tests (WORKERS=2 processes)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n "$$WORKERS" $(FILES) \
		--ignore=tests/runs

# of the package alone
FAST = OMP_NUM_THREADS=1 NUMBA_CACHE_DIR="$(CURDIR)/$(1)/numba" $(1)/bin/python -m pytest \
	-n "$$WORKERS" --dist loadfile --ignore tests/workflow --ignore tests/runs

test-oldest: $(READY) ## run the fast tests on the lowest versions that pyproject.toml allows
	@envs/setup.sh oldest
	$(call FAST,.venv-oldest)

test-newest: $(READY) ## run the fast tests on the highest versions that pyproject.toml allows
	@envs/setup.sh newest
	$(call FAST,.venv-newest)

test-runs: $(READY) ## change, lose, kill and archive whole runs of the workflow (WORKERS=2)
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -n "$$WORKERS" $(FILES) tests/runs

test-cluster: $(READY) ## run the workflow on a real, throw-away Slurm of two nodes, and break it (root)
	@tests/cluster/slurm.sh install
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests/cluster

test-ui: $(READY) ## test MLflow's server on PostgreSQL, and its pages in headless Chromium
	@tests/services/install.sh
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest tests/services

test-mutation: $(READY) ## break the code in one place at a time: is it noticed? (AREAS="masks records")
	$(PYTHON) -m pip install --quiet --editable '.[mutation]'
	OMP_NUM_THREADS=1 $(PYTHON) tests/mutation.py $$AREAS

test-fuzz: $(READY) ## 10 000 configurations, 10 000 damaged files, 300 dry runs, 20 runs
	FUZZ=full OMP_NUM_THREADS=1 $(PYTHON) -m pytest -s tests/fuzz

test-faults: $(READY) ## kill a run fifty times, fill its disk, close its folders (KILLS=50)
	KILLS=$${KILLS:-50} OMP_NUM_THREADS=1 $(PYTHON) -m pytest -s tests/runs/test_faults.py

lint: $(READY) ## check format, style and types of the code and the workflow
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	.venv/bin/snakefmt --check Snakefile workflow
	.venv/bin/snakemake --lint

ui: $(READY) ## show the experiment record on http://127.0.0.1:5000 (PORT=5000)
	@$(TARGETS) ui

ui-server: $(READY) ## a shared MLflow server with PostgreSQL (FOLDER=server, HOST=, PORT=, AUTH=1)
	@exec $(PYTHON) -m graphprune.tracking.server \
		--folder="$$FOLDER" --host="$$HOST" --port="$$PORT" $${AUTH:+--auth}

clean: ## remove the results and all caches
	@if [ -e $(READY) ]; then $(TARGETS) clean; else \
		echo 'the results stay: without .venv the configuration cannot be read (make setup)'; fi
	rm -rf .snakemake .pytest_cache .ruff_cache .mypy_cache .hypothesis build dist
	find graphprune workflow tests benchmarks -name __pycache__ -type d -prune -exec rm -rf {} +

distclean: clean ## remove .venv as well
	rm -rf .venv .venv-oldest .venv-newest *.egg-info
