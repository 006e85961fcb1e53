# One entry for everything. `make` alone lists the targets.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules --no-print-directory

# The first Python of at least 3.11; `make PYTHON=... install` chooses another.
new_enough := -c 'import sys; sys.exit(sys.version_info < (3, 11))'
PYTHON ?= $(shell for p in python3 python3.13 python3.12 python3.11 python3.14; do \
	if $$p $(new_enough) 2>/dev/null; then echo $$p; break; fi; done)
VENV := .venv
PY := $(VENV)/bin/python

# How many tests run at once.
WORKERS ?= 2

export PATH := $(CURDIR)/$(VENV)/bin:$(CURDIR)/node_modules/.bin:$(PATH)
export PYTHONPATH := $(CURDIR):$(CURDIR)/layers/core/python

python_installed := $(VENV)/.installed
node_installed := node_modules/.installed

# resolve FOLDER [FLAGS]: lock what its *.in name, for every platform; the functions get the versions that the tests ran with
resolve = (cd $(1); lock="$(CURDIR)/$(VENV)/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links $(2)"; \
	$$lock --custom-compile-command 'make lock' -o dev.txt dev.in; \
	$$lock --custom-compile-command 'make lock' -o runtime.txt -c dev.txt runtime.in; \
	$$lock --custom-compile-command 'make lock' -o science.txt -c dev.txt science.in)

.PHONY: help install up down test check format bench synth openapi lock

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

install: $(python_installed) $(node_installed) ## Python and Node packages, exactly as locked, inside this folder

$(python_installed): requirements/dev.txt
	@if [[ -z "$(PYTHON)" ]]; then echo "Python 3.11 or later is needed; none was found on the path" >&2; exit 1; fi
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "$(PYTHON) cannot make virtual environments; install its venv package (Debian, Ubuntu: python3-venv)" >&2; exit 1; }
	@echo "Python packages, as locked in $<"
	@$(PYTHON) -m venv $(VENV)
	@awk '/^[a-zA-Z0-9]/ { keep = /^uv==/ } keep' $< >$(VENV)/uv.txt
	@$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes -r $(VENV)/uv.txt
	@# uv takes seconds where pip takes a minute; pip still knows mirrors that only its own settings name.
	@$(VENV)/bin/uv pip install --quiet --python $(PY) --require-hashes --no-build -r $< || \
		$(PY) -m pip install --quiet --disable-pip-version-check --require-hashes --only-binary :all: -r $<
	@touch $@

$(node_installed): package.json package-lock.json .npmrc $(python_installed)
	@echo "Node packages, as locked in package-lock.json"
	@npm ci --loglevel=error
	@touch $@

up: install ## the whole stack on this machine, with real purchases in it
	@$(PY) -m infra.local up

down: install ## stop it and keep its data; CLEAN=1 removes the data too
	@$(PY) -m infra.local down $(if $(filter 1,$(CLEAN)),--clean)

test: install ## every test, on every engine
	@$(PY) -m pytest -n $(WORKERS) --dist loadgroup $(ARGS)

check: install ## lint, format, types, generated files
	@failed=0; \
	ruff check . || failed=1; \
	ruff format --check . || failed=1; \
	mypy || failed=1; \
	$(PY) -m infra.openapi docs --check || failed=1; \
	copy=$$(mktemp -d); trap 'rm -rf "$$copy"' EXIT; cp requirements/*.in requirements/*.txt "$$copy"; \
	$(call resolve,$$copy); diff -u requirements "$$copy" || { echo "requirements/: make lock" >&2; failed=1; }; \
	exit $$failed

format: install ## rewrite the sources in the project's format
	@ruff check --fix .
	@ruff format .

bench: install ## measure what the ledger promises; writes bench/report.json
	@$(PY) -m bench

synth: install ## the CloudFormation templates, into cdk.out/
	@cdk synth --quiet

openapi: install ## write docs/openapi.json and docs/events/
	@$(PY) -m infra.openapi docs

lock: install ## write the lock files anew; UPGRADE=1 takes the newest versions
	@$(call resolve,requirements,$(if $(filter 1,$(UPGRADE)),--upgrade))
	@npm install --package-lock-only --loglevel=error
