# `make run` serves, `make test` tests; both set up what they need. `make help` lists the rest.

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
ROOT ?= sample-files
BIN = $(VENV)/bin
MODULES = tests/node_modules

# These say most of what the HTTP interface promises; any other of its tests may be added.
CLUSTERED = $(addprefix tests/web/test_,$(addsuffix .py,process cancel status stream files long_poll))

.PHONY: run cluster test help lint types unit clustered page e2e faults bench clean

run: $(VENV)/.run
	@test "$(ROOT)" != sample-files || $(BIN)/python examples/sample_files.py sample-files
	@test "$(ROOT)" != sample-files || echo "For something larger: ROOT=/usr/share make run"
	@$(BIN)/ingest-stream --root "$(ROOT)" --host $(HOST) --port $(PORT)

# PostgreSQL and nginx have to be installed; ROOT as for `run`.
cluster: $(VENV)/.cluster
	@test "$(ROOT)" != sample-files || $(BIN)/python examples/sample_files.py sample-files
	@$(BIN)/python examples/local_cluster.py "$(ROOT)" $(PORT)

test: lint types unit clustered page e2e

help:
	@echo "make run     serve sample files, or ROOT=/some/dir; HOST and PORT can be given, too"
	@echo "make cluster two replicas and two workers on this machine, over a PostgreSQL of their own"
	@echo "make test    all tests: lint, types, unit, page (Node), e2e (Chromium, nginx, ...)"
	@echo "make faults  kill it, starve it, poison it: half an hour, docs/reliability.md"
	@echo "make bench   measure it beside others: half an hour, docs/benchmarks.md"
	@echo "make clean   remove what these have made"

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

unit: $(VENV)/.test
	$(BIN)/coverage erase
	PYTHONASYNCIODEBUG=1 $(BIN)/coverage run -m pytest -m "not e2e"
	$(BIN)/coverage report

clustered: $(VENV)/.test
	TEST_FORM=cluster $(BIN)/python -m pytest -n 2 $(CLUSTERED)

page: $(MODULES)/.installed
	node --test tests/page/*.test.js
	npm run --prefix tests --silent types
	npm run --prefix tests --silent format

# They mostly wait. One that fails on a machine busy with others gets one more try.
e2e: $(VENV)/.test $(MODULES)/.installed
	$(BIN)/python -m pytest -m "e2e and not alone" -n 3 --dist loadfile --reruns 1 -rR
	$(BIN)/python -m pytest -m alone --reruns 1 -rR

faults: $(VENV)/.test
	$(BIN)/python -m tests.faults

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(MODULES) sample-files benchmark-results ingest.db ingest.db-*
	rm -rf build *.egg-info .coverage .mypy_cache .ruff_cache .pytest_cache

# Half an environment would be taken for a whole one the next time.
$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("it needs Python 3.11 or later; name one with PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV) || { rm -rf $(VENV); exit 1; }

$(VENV)/.run: $(VENV)/bin/python setup.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fast,media]'
	@touch $@

$(VENV)/.cluster: $(VENV)/.run
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fast,media,cluster]'
	@touch $@

$(VENV)/.test: $(VENV)/.run tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[all,test]' -r tests/requirements.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.run benchmarks/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

$(MODULES)/.installed: tests/package.json
	npm install --prefix tests --silent --no-audit --no-fund --no-package-lock
	@touch $@
