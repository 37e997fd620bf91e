# The rollout governor. `make` alone says what there is.

UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin

# Without .pyc files every Ray worker compiles Ray anew and starts two to three times slower.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH
unexport PYTHONHOME

# The environment keeps the Python that it was made with; a new one takes the first that fits.
USABLE := import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))
ifndef PYTHON
PYTHON := $(shell for python in "$$(sed -n 's/^executable = //p' $(VENV)/pyvenv.cfg 2>/dev/null)" \
	python3.12 python3.11 python3; do \
	"$$python" -c '$(USABLE)' 2>/dev/null && { echo "$$python"; break; }; done)
endif

# Scripts in an environment hold its path, and its packages belong to one Python: another folder or
# another Python asks for another stamp, and so for another environment.
STAMP := $(VENV)/made-$(shell { pwd -P; "$(PYTHON)" -c 'import sys; print(sys.base_prefix, sys.version)'; } \
	2>/dev/null | cksum | cut -d ' ' -f 1)

.PHONY: help env demo test check pytest bench format constraints clean
.NOTPARALLEL:
.DEFAULT_GOAL := help

help: ## say what there is
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' Makefile | expand -t 14

demo: env ## run the SQL agent's rollouts under the governor
	@$(BIN)/governor run examples/sql_agent/run.yaml

test: check pytest ## all that must pass before a change lands

env: $(STAMP) ## make .venv, the environment that everything here uses

$(STAMP): pyproject.toml constraints.txt Makefile
	@"$(PYTHON)" -c '$(USABLE)' 2>/dev/null || { \
		echo 'make: needs Python 3.11 or 3.12: install one, or name it: make PYTHON=/path/to/python3.12' >&2; exit 1; }
	@"$(PYTHON)" -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "make: $(PYTHON) cannot make environments: install its venv module (Debian, Ubuntu: $$( \
		"$(PYTHON)" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'))" >&2; exit 1; }
	@echo "environment: $(VENV), $$("$(PYTHON)" --version), about 200 packages"
	@"$(PYTHON)" -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode --require-hashes -r constraints.txt
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

check: env ## lint, format, types, layers
	@echo lint && $(BIN)/ruff check --quiet
	@echo format && $(BIN)/ruff format --check --quiet
	@echo types && $(BIN)/mypy --no-error-summary
	@echo layers && report=$$($(BIN)/lint-imports --cache-dir .cache/imports) || { echo "$$report"; exit 1; }

pytest: env ## the tests alone
	@echo tests && $(BIN)/pytest --quiet

bench: env ## run every benchmark
	@set -e; for benchmark in benchmarks/[a-z]*.py; do $(BIN)/python $$benchmark; done

format: env ## write the code as the formatter wants it
	@$(BIN)/ruff check --fix-only --quiet && $(BIN)/ruff format --quiet

# All is resolved for the environments named in pyproject.toml, so the marker common to all lines goes.
COMMON := python_full_version < '3.13' and (sys_platform == 'darwin' or sys_platform == 'linux')
FRESH := $(VENV)/constraints.txt

constraints: env ## resolve the dependencies anew into constraints.txt
	@rm -f $(FRESH)
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --fork-strategy fewest --group dev --generate-hashes \
		--no-annotate --no-header --output-file $(FRESH) pyproject.toml >/dev/null
	@{ echo '# All that .venv holds, for Python 3.11 and 3.12 on Linux and macOS: exact versions and hashes.'; \
	echo '# Made from pyproject.toml: make constraints'; \
	sed "s/ ; $(COMMON) / /" $(FRESH); } >$(FRESH).new && mv $(FRESH).new constraints.txt

clean: ## remove the environment and all caches; recorded runs stay
	@rm -rf $(VENV) .cache .hypothesis .import_linter_cache build dist
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
