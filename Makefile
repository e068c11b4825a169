# `make run` serves, `make test` tests; both set up what they need, in .venv and nowhere else.

PYTHON ?= python3
VENV ?= .venv
HOST ?= 127.0.0.1
PORT ?= 8000
ROOT ?= sample-files
BIN = $(VENV)/bin
MODULES = tests/node_modules

.PHONY: run test lint types unit page e2e faults bench clean

run: $(VENV)/.run
	@test "$(ROOT)" != sample-files || $(BIN)/python examples/sample_files.py sample-files
	@echo
	@echo "  Open http://$(HOST):$(PORT)/ and press Start, or in another terminal:"
	@echo
	@echo "  curl -N http://$(HOST):$(PORT)\$$(curl -s http://$(HOST):$(PORT)/api/ingest/process \\"
	@echo "    -H 'Content-Type: application/json' -d '{}' | grep -o '/api/ingest/stream/[^\"]*')"
	@echo
	@$(BIN)/ingest-stream --root "$(ROOT)" --host $(HOST) --port $(PORT)

test: lint types unit page e2e

lint: $(VENV)/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.test
	$(BIN)/mypy

unit: $(VENV)/.test
	$(BIN)/coverage erase
	PYTHONASYNCIODEBUG=1 $(BIN)/coverage run -m pytest -m "not e2e"
	$(BIN)/coverage report

page:
	node --test tests/page/*.test.js

# They mostly wait. One that fails on a machine busy with others gets one more try.
e2e: $(VENV)/.test $(MODULES)/.installed
	$(BIN)/python -m pytest -m e2e -n 3 --dist loadfile --reruns 1

faults: $(VENV)/.test
	$(BIN)/python -m tests.faults

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

clean:
	rm -rf $(VENV) $(MODULES) sample-files benchmark-results ingest.db ingest.db-*

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.run: $(VENV)/bin/python setup.cfg
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fast,media]'
	@touch $@

$(VENV)/.test: $(VENV)/.run tests/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[fast,media,metrics,terminal,test]' -r tests/requirements.txt
	@touch $@

$(VENV)/.bench: $(VENV)/.run benchmarks/requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check -r benchmarks/requirements.txt
	@touch $@

$(MODULES)/.installed: tests/package.json
	npm install --prefix tests --silent --no-audit --no-fund --no-package-lock
	@touch $@
