# Everything a contributor or an operator types first. Names are relied on by others.
# Needs Python 3.11 or newer, make and git; the rest goes into .venv. Works with make 3.81.

PYTHON ?= python3
GROUP ?=
QUICK ?=
BIN := .venv/bin

.DEFAULT_GOAL := help
.PHONY: help setup run demo test check format lint types architecture flaws house coverage bench
.PHONY: faults soak audit assets clients

help: ## Show this list.
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

setup: .venv/.run ## Make .venv with what the product needs.

run: .venv/.run ## Start everything in the foreground; PORT and ASIENTO_DATA move it.
	@exec $(BIN)/asiento up

demo: .venv/.run ## Import, watch, query and verify generated invoices.
	@exec $(BIN)/asiento demo

test: .venv/.dev ## Run all tests, a worker a core.
	@exec $(BIN)/python -m pytest --numprocesses logical --maxprocesses 4 --dist loadfile \
		--no-loadscope-reorder

check: format lint types architecture flaws house ## Lint, types, layers, flaws, house rules.

format: .venv/.dev
	@$(BIN)/ruff format --check --quiet .

lint: .venv/.dev
	@$(BIN)/ruff check --quiet .

types: .venv/.dev
	@$(BIN)/mypy

architecture: .venv/.dev
	@$(BIN)/lint-imports

flaws: .venv/.dev
	@$(BIN)/bandit --quiet --configfile pyproject.toml --recursive .

house: .venv/.dev
	@$(BIN)/python -m pytest tests/house

coverage: .venv/.dev ## Run all tests, and hold the branch coverage.
	@$(BIN)/python -m pytest --cov --cov-branch --cov-report=
	@$(BIN)/coverage report --skip-covered --show-missing \
		--include='domain/*,projections/*' --fail-under=100
	@$(BIN)/coverage report --skip-covered --show-missing \
		--omit='domain/*,projections/*' --fail-under=90

bench: .venv/.bench ## Measure; GROUP=append names one group, QUICK=1 shortens it.
	@exec $(BIN)/python -m benchmarks.run $(GROUP) $(if $(QUICK),--quick)

faults: .venv/.dev ## Append under random kills; SEED and SECONDS set the run.
	@exec $(BIN)/python -m tests.faults $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),60)

soak: .venv/.dev ## Project under random kills and pauses; SEED and SECONDS set the run.
	@exec $(BIN)/python -m tests.soak $(if $(SEED),--seed $(SEED)) --seconds $(or $(SECONDS),600)

audit: .venv/.dev ## Ask the index for known flaws of the dependencies; needs the network.
	@exec $(BIN)/python .ci/audit.py requirements.lock

assets: ## Build GraphiQL, Swagger UI and ReDoc anew; needs Node, and is needed by nobody else.
	@cd adapters/pages/sources && npm ci --ignore-scripts --no-audit --no-fund && node build.mjs

clients: .venv/.dev ## Try clients that others wrote in Node, which it needs.
	@cd tests/clients && npm ci --ignore-scripts --no-audit --no-fund
	@exec $(BIN)/python -m pytest tests/clients

FIND_PYTHON = command -v $(PYTHON) >/dev/null || { \
	echo "There is no $(PYTHON) here. Install Python 3.11 or newer, or name it: make PYTHON=..." >&2; \
	exit 1; }

# A venv of a moved or copied checkout would run the code of the old place: make it anew.
AT := $(shell cat .venv/.home 2>/dev/null)
ifneq ($(AT),$(CURDIR))
.PHONY: .venv/.run .venv/.dev .venv/.bench
endif

.venv/.run: requirements.lock pyproject.toml .ci/set_up.py
	@$(FIND_PYTHON)
	@$(PYTHON) .ci/set_up.py $@ requirements.lock

.venv/.dev: requirements-dev.lock pyproject.toml .ci/set_up.py
	@$(FIND_PYTHON)
	@$(PYTHON) .ci/set_up.py $@ requirements-dev.lock

.venv/.bench: requirements-bench.lock pyproject.toml .ci/set_up.py
	@$(FIND_PYTHON)
	@$(PYTHON) .ci/set_up.py $@ requirements-bench.lock
