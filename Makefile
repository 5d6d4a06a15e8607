# make serve   run the service here         make test   set up and run all tests
# Needs Python 3.11 or newer with venv, git and make; the rest is installed into $(VENV).

PYTHON ?= python3
VENV ?= .venv
PORT ?= 2121
LISTEN ?= tcp:$(PORT):interface=127.0.0.1
SIMPLE_PORT ?= 1452
SIMPLE ?= tcp:$(SIMPLE_PORT):interface=127.0.0.1
HTTP_PORT ?= 8021
HTTP ?= tcp:$(HTTP_PORT):interface=127.0.0.1
DATA ?= var
TESTS ?= tests
PYTEST_ARGS ?=
WORKERS ?= auto

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
CONSTRAINTS := docs/constraints.txt
INSTALL := $(PIP) install --no-build-isolation --constraint $(CONSTRAINTS)
PACKAGED := setup.cfg $(CONSTRAINTS) pyproject.toml $(wildcard README.md) \
	$(shell find ftpservice client twisted -name '*.py' -o -name py.typed -o -path '*/assets/*')

.DEFAULT_GOAL := help
.PHONY: help serve test check cluster coverage clients lint types docs bench soak clean
.DELETE_ON_ERROR:

help:
	@echo 'make serve    serve var/files to the accounts in passwd.db on 127.0.0.1:$(PORT) (PORT=...)'
	@echo 'make test     run the tests (TESTS=tests/wire: some of them)'
	@echo 'make cluster  run the tests with several nodes and other services; takes minutes'
	@echo 'make coverage run the tests and list the lines that none of them runs; takes twice as long'
	@echo 'make lint     check style and formatting'
	@echo 'make types    check types'
	@echo 'make bench    compare the speed with other servers (BENCH_ARGS=--quick)'
	@echo 'make soak     run a day of the service in 30 minutes (SOAK_ARGS="--minutes 5")'
	@echo 'make docs     generate the reference pages from the code'
	@echo 'make clean    remove the virtual environment and caches; keeps var/ and its files'

serve: $(VENV)/.installed
	@FTPSERVICE_ADVICE_LISTEN='port: make serve PORT=2221' \
	FTPSERVICE_ADVICE_SIMPLE='port: make serve SIMPLE_PORT=2252' \
	FTPSERVICE_ADVICE_HTTP='port: make serve HTTP_PORT=8022' \
	exec $(BIN)/twistd --nodaemon --pidfile= ftpservice --allow-root --listen '$(LISTEN)' --simple '$(SIMPLE)' --http '$(HTTP)' --data-dir '$(DATA)' --auth passwd:passwd.db

test: clients check

# The tests without the installation of third-party clients.
check: $(VENV)/.testing
	$(BIN)/python -m pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal $(TESTS) $(PYTEST_ARGS)

# What the other tests do in a short form only: many rounds, and JuiceFS on PostgreSQL.
cluster: clients $(VENV)/.clustering
	FTPSERVICE_CLUSTER=whole $(BIN)/python -m pytest tests/scenarios/cluster \
		tests/scenarios/storage/test_s3_contract.py $(PYTEST_ARGS)

# Processes that tests start are not measured, but for services with workers (tests/support/measured).
coverage: override PYTEST_ARGS += --cov=ftpservice --cov-report=term-missing:skip-covered --cov-fail-under=94
coverage: test

clients:
	@if [ -x tests/scenarios/install-clients ]; then tests/scenarios/install-clients; fi
	-@if [ -x benchmarks/install-peers ]; then benchmarks/install-peers; fi

lint: $(VENV)/.linting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.linting
	$(BIN)/mypy

docs: $(VENV)/.installed
	PYTHONPATH=.:client $(BIN)/python docs/make_settings.py
	PYTHONPATH=.:client $(BIN)/python docs/make_protocol.py
	PYTHONPATH=.:client $(BIN)/python docs/make_shell.py
	PYTHONPATH=.:client $(BIN)/python docs/make_client_api.py
	PYTHONPATH=.:client $(BIN)/python docs/make_openapi.py

# Compares with the installed servers; BENCH_ARGS='--quick' takes a minute or two.
bench: $(VENV)/.benching
	-@benchmarks/install-peers
	$(BIN)/python -m benchmarks $(BENCH_ARGS)
	$(BIN)/python -m benchmarks.clients $(filter --quick,$(BENCH_ARGS))

# Checks that many sessions under a fast clock leave nothing over.
soak: $(VENV)/.testing
	$(BIN)/python -m benchmarks.soak $(SOAK_ARGS)

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.* _trial_temp*
	find ftpservice client tests twisted -name __pycache__ -prune -exec rm -rf {} +

# The targets below run again only if their sources have changed.

$(VENV)/.made:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo 'Python 3.11 or newer is needed: make PYTHON=python3.12 ...' >&2; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || { echo 'The venv module is missing: apt install python3-venv' >&2; exit 1; }
	@echo 'Making $(VENV) ...'
	@$(PYTHON) -m venv $(VENV)
	@$(PIP) install 'setuptools >= 77'
	@touch $@

$(VENV)/.installed: $(VENV)/.made $(PACKAGED)
	@echo 'Installing ftpservice into $(VENV) ...'
	@rm -rf build
	@$(INSTALL) '.[shell,sql]'
	@rm -rf build
	@touch $@

$(VENV)/.testing: $(VENV)/.made setup.cfg $(CONSTRAINTS)
	@echo 'Installing what the tests need into $(VENV) ...'
	@rm -rf build
	@$(INSTALL) '.[test]'
	@rm -rf build
	@touch $@

$(VENV)/.clustering: $(VENV)/.testing setup.cfg
	@$(INSTALL) '.[test-cluster]'
	@rm -rf build
	@touch $@

$(VENV)/.benching: $(VENV)/.testing setup.cfg
	@$(INSTALL) '.[bench]'
	@rm -rf build
	@touch $@

$(VENV)/.linting: $(VENV)/.testing setup.cfg
	@$(INSTALL) '.[lint]'
	@rm -rf build
	@touch $@
