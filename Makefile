# Thin targets: what each does by hand stands in the README.
PYTHON ?= python3
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)

.PHONY: study test lint ui site clean
.DEFAULT_GOAL := study

# Built anew when the lock or the project's metadata changes.
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "error: $$($(PYTHON) --version): expected Python 3.11 to 3.13; set PYTHON=python3.12, say"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(VENV)/bin/pip install --quiet --disable-pip-version-check -r requirements.lock
	$(VENV)/bin/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

study: $(VENV)/.ready
	rnn-study check
	dvc repro

test: $(VENV)/.ready
	pytest -n 2 --no-loadscope-reorder

lint: $(VENV)/.ready
	ruff check
	ruff format --check
	lint-imports --no-cache

ui: $(VENV)/.ready
	mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port 5000

# Static pages of the finished study and the documents.
site: $(VENV)/.ready
	rnn-study site

# Everything the study made; data that was fetched, the environment and the lock stay.
clean:
	rm -rf runs reports site data/prepared .run-store mlflow.db* mlartifacts optuna.db*
