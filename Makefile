# Every target sets up .venv first, once, and again when pyproject.toml changes.

# The first of these that runs, is new enough and can make environments: a version manager's shim may fail.
PYTHON ?= $(shell for python in python3.12 python3.11 python3; do \
	"$$python" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1 \
	&& echo "$$python" && break; done)
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready

# The environment is .venv's, whatever the caller's shell had.
unexport PYTHONPATH PYTHONHOME VIRTUAL_ENV

.DEFAULT_GOAL := help
.PHONY: help demo test nightly laws check format-check lint types format docs editors wheel clean
.NOTPARALLEL:

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(READY) ## two methods against two baselines on digits with noisy labels, in a minute or two
	$(BIN)/taxo compare plain label_smoothing logpert 'mixpert(pro: 45%, eta: 4)' \
		--data digits --noise pair:30% --seeds 3

test: $(READY) ## all tests; some of them: make test ARGS='-k wheel'
	$(BIN)/pytest -n auto $(ARGS)

nightly: $(READY) ## the property tests on 100,000 new cases, in half an hour
	TAXO_CASES=100000 $(BIN)/pytest -o timeout=0 tests/language $(ARGS)

laws: $(READY) ## every law on every method and every pair of methods, on several nets
	TAXO_LAWS=all $(BIN)/pytest -o timeout=0 tests/laws $(ARGS)

check: format-check lint types test ## all gates: format, lint, types, tests

format-check: $(READY) ## is everything formatted?
	$(BIN)/ruff format --check .

lint: $(READY) ## ruff's rules
	$(BIN)/ruff check .

types: $(READY) ## pyright: strict on taxo/, basic elsewhere
	$(BIN)/pyright --pythonpath $(BIN)/python

format: $(READY) ## format, and mend what ruff can mend
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

docs: $(READY) ## write the pages of docs/ that are made from the code
	$(BIN)/python -m taxo.cli.pages

editors: $(READY) ## make editors/**/taxo.tmLanguage.json anew, after a change of grammar or vocabulary
	$(BIN)/python -m taxo.editor.textmate editors/taxo.tmLanguage.json editors/vscode/syntaxes/taxo.tmLanguage.json

wheel: $(READY) ## build dist/*.whl
	$(BIN)/hatchling build -t wheel

clean: ## remove what was built and the caches; .venv and runs/ stay
	rm -rf dist build htmlcov .coverage .pytest_cache .ruff_cache .hypothesis
	find . -path ./$(VENV) -prune -o -name __pycache__ -prune -exec rm -rf {} +

$(READY): pyproject.toml
	@$(BIN)/python -c 'import pip' 2>/dev/null || { \
		python="$(PYTHON)"; \
		test -n "$$python" || { echo 'no Python 3.11 or newer with venv found: make PYTHON=/path/to/python' >&2; exit 1; }; \
		echo "making $(VENV) with $$python"; \
		"$$python" -m venv --clear $(VENV); }
	@test -z "$$TAXO_TORCH" || $(BIN)/python -m pip install "$$TAXO_TORCH"
	$(BIN)/python -m pip install --editable '.[dev]'
	@touch $@
