# Two commands: `make repro` reproduces everything, `make test` tests it. Both set up what they need in .venv.

SHELL := /bin/bash
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export DVC_NO_ANALYTICS := 1
export UV_PYTHON_DOWNLOADS := never
# One setting of a mirror serves pip, uv and the fetching of weights.
ifdef PIP_INDEX_URL
export UV_DEFAULT_INDEX ?= $(PIP_INDEX_URL)
endif

REPORT := data/report/index.html

.NOTPARALLEL:
.PHONY: repro test lint lock browser weights clean

repro: $(VENV)/.repro browser weights        ## scrape, clean, train, measure, export, report (profile and world: params.yaml)
	dvc repro
	@echo "report: $(CURDIR)/$(REPORT)"

test: $(VENV)/.dev browser weights           ## every test, the whole pipeline in a temporary clone among them
	OMP_NUM_THREADS=1 pytest -n auto --maxprocesses 4 --dist loadgroup

lint: $(VENV)/.dev                           ## style and the import contracts
	ruff check .
	ruff format --check .
	lint-imports

lock:                                        ## pin every dependency again, with hashes and no addresses
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	  --custom-compile-command "make lock" pyproject.toml --all-extras --group dev -o requirements/dev.txt
	uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-emit-find-links --python-version 3.11 \
	  --custom-compile-command "make lock" pyproject.toml --extra demo --extra training --extra yolo -c requirements/dev.txt -o requirements/repro.txt

browser:                                     ## Debian's Chromium and its driver, for pages that only a browser can read
	@./setup.sh browser

weights: $(VENV)/.repro
	@python -m inference.weights

clean:                                       ## forget everything that was made (not the weights, they lie in the user's cache)
	rm -rf .work .dvc/cache .dvc/tmp data/gallery data/truth data/raw data/interim data/processed data/runs data/metrics data/exported data/report

$(VENV)/bin/uv:
	@./setup.sh venv $(VENV)

$(VENV)/.%: requirements/%.txt pyproject.toml | $(VENV)/bin/uv
	@echo "installing what $< pins (some GB the first time)"
	uv pip install -q --require-hashes -r $<
	uv pip install -q --no-deps --no-build-isolation -e .
	@touch $@
