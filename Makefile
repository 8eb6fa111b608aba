# Thin targets: what each does by hand stands in the README.
PYTHON ?= python3
PORT ?= 5000
VENV := .venv
export PATH := $(CURDIR)/$(VENV)/bin:$(PATH)
# A container may give its user neither a name nor a home, without which DVC does not start.
export LOGNAME := $(or $(LOGNAME),$(shell id -un 2>/dev/null || id -u))
export HOME := $(or $(HOME),$(CURDIR)/.dvc/tmp)

.PHONY: study test faults bench lint ui site clean
.DEFAULT_GOAL := study

# Built anew when the lock or the project's metadata changes, the project was moved, or PYTHON names another version.
BUILT_IN := $(shell sed -n 1p $(VENV)/.ready 2>/dev/null)
BUILT_WITH := $(shell sed -n 2p $(VENV)/.ready 2>/dev/null)
ifneq ($(BUILT_IN),)
ifneq ($(BUILT_IN),$(CURDIR))
.PHONY: $(VENV)/.ready
else ifneq ($(origin PYTHON),file)
ifneq ($(BUILT_WITH),$(shell $(PYTHON) --version))
.PHONY: $(VENV)/.ready
endif
endif
endif
$(VENV)/.ready: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' || \
	  { echo "error: $$($(PYTHON) --version): expected Python 3.11 to 3.13; set PYTHON=python3.12, say"; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes --no-deps -r requirements.lock
	$(VENV)/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[pytorch]'
	@{ echo "$(CURDIR)"; $(VENV)/bin/python --version; } > $@

# Programs by their path: make 3.81, that of macOS, looks for them in the PATH it was started with.
study: $(VENV)/.ready
	$(VENV)/bin/rnn-study check
	$(VENV)/bin/dvc repro

test: $(VENV)/.ready
	$(VENV)/bin/pytest -n 3 --dist loadfile --no-loadscope-reorder

# Kills the study at every crash point and at random: about an hour.
faults: $(VENV)/.ready
	$(VENV)/bin/python tests/faults.py

# Speed against what a user would write: half an hour on a machine that does nothing else.
bench: $(VENV)/.ready
	$(VENV)/bin/python benchmarks/speed.py
	$(VENV)/bin/python benchmarks/growth.py
	$(VENV)/bin/python benchmarks/seeds_together.py
	$(VENV)/bin/python benchmarks/preprocessing.py

lint: $(VENV)/.ready
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/lint-imports --no-cache

ui: $(VENV)/.ready
	@$(VENV)/bin/python -c 'import socket; socket.create_server(("127.0.0.1", $(PORT)))' 2>/dev/null || \
	  { echo "error: port $(PORT): in use: expected a free one; try: make ui PORT=5001"; exit 1; }
	$(VENV)/bin/mlflow ui --backend-store-uri sqlite:///mlflow.db --host 127.0.0.1 --port $(PORT)

# Static pages of the finished study and the documents.
site: $(VENV)/.ready
	$(VENV)/bin/rnn-study site

# Everything the study made that git does not keep, experiments in DVC's cache too; data that was fetched stays.
clean:
	rm -rf runs own-runs reports site .run-store .dvc/cache mlflow.db* .mlflow.db* mlartifacts optuna.db*
	rm -rf data/prepared data/shapes data/digests data/models data/sequence_shapes.json data/runs.sha256
