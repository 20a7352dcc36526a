# Two commands: `make chat` and `make test`. Both can be repeated, interrupted and mixed.
#
#   make chat TORCH_INDEX=https://download.pytorch.org/whl/cpu   PyTorch's CPU build (the default is gigabytes)
#   make chat PORT=8000 HOST=127.0.0.1 ARGS="runs/hred"          another port, your own models
#   make test HRED_ALLOW_MISSING=browser                         leave the browser tests out
#   make test WORKERS=4                                          on more processors than two
#   make bench CORPUS=corpus/ ARGS="--only engine"               the benchmarks; --help says more
#   make results                                                 every table of docs/results/ again, from its sums
#   make benchmark DAILYDIALOG=path ARGS="--hidden 256"          train the rows of docs/results/dailydialog.md again
#   make ... PYTHON=/path/to/python3.12                          another Python, 3.11 or later

SHELL := /bin/sh
PYTHON ?= python3
TORCH_INDEX ?=
HOST ?= 127.0.0.1
PORT ?= 7860
ARGS ?=
# Processes that share the tests; 0 runs them all in one.
WORKERS ?= 2
DAILYDIALOG ?=
RESULTS ?= *

BIN := .venv/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check
# A stamp is written after a *whole* install; one that was cut off leaves none, and is done again.
STAMPS := .venv/stamps

# pip killed in the middle of a package can leave its metadata, and calls the package installed ever after, though
# its commands are missing. INSTALLER comes last; what has none is forgotten, so that pip installs it again.
MEND = for each in .venv/lib/python3*/site-packages/*.dist-info; do \
	    if [ -d "$$each" ] && [ ! -e "$$each/INSTALLER" ]; then \
	        echo "$$each was cut off and is installed again"; rm -rf "$$each"; fi; done

.PHONY: chat test bench benchmark results browser clean

chat: $(STAMPS)/app
	@exec $(BIN)/hred serve --host "$(HOST)" --port "$(PORT)" $(ARGS)

# The tests start hundreds of processes that import the same files, so what is compiled of these is kept.
test: $(STAMPS)/dev browser
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	env -u PYTHONDONTWRITEBYTECODE $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal

# About half an hour on two cores; nothing else should run meanwhile.
bench: $(STAMPS)/dev
	@exec $(BIN)/python benchmarks/run_all.py $(if $(CORPUS),--corpus "$(CORPUS)") $(ARGS)

# From the sums that are committed; no model and no corpus is needed. RESULTS=NAME prints one of them.
results: $(STAMPS)/app
	@for each in docs/results/$(RESULTS).statistics.json.gz; do \
	    if [ ! -e "$$each" ]; then echo "make: there are no results in $$each" >&2; exit 1; fi; \
	    $(BIN)/hred compare --from "$$each" || exit 1; done

# Hours; stopped, the same command goes on. The corpus may not be passed on, so it is named, as published or prepared.
benchmark: $(STAMPS)/dev
	@if [ -z "$(DAILYDIALOG)" ]; then \
	    echo "make: name the corpus: make benchmark DAILYDIALOG=path/to/ijcnlp_dailydialog" >&2; exit 1; fi; \
	exec $(BIN)/python benchmarks/dailydialog.py "$(DAILYDIALOG)" $(ARGS)

# The environment depends on no file: it is made once, and what is in it is then brought up to date. One that is
# there and works is kept.
$(STAMPS)/venv:
	@python=; \
	for each in "$(PYTHON)" python3.14 python3.13 python3.12 python3.11; do \
	    if "$$each" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then python=$$each; break; fi; \
	done; \
	if [ -z "$$python" ]; then \
	    version=`"$(PYTHON)" --version 2>&1 | tail -n 1`; \
	    echo "make: $(PYTHON) is no Python 3.11 or later ($$version); install one and name it:" \
	        "make $(MAKECMDGOALS) PYTHON=/path/to/python3.12" >&2; exit 1; \
	fi; \
	if ! "$$python" -c 'import ensurepip, venv' 2>/dev/null; then \
	    version=`"$$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])'`; \
	    echo "make: $$python has no venv module; install it and go on:" \
	        "apt-get install python$$version-venv && make $(MAKECMDGOALS)" >&2; exit 1; \
	fi; \
	if $(BIN)/python -c 'import sys, importlib.metadata as m; \
	    sys.exit(sys.version_info < (3, 11) or not m.distribution("pip").read_text("INSTALLER"))' 2>/dev/null; then \
	    echo "using the .venv that is there"; \
	else \
	    echo "making .venv with $$python"; "$$python" -m venv --clear .venv; \
	fi
	@mkdir -p $(STAMPS) && touch $@

# PyTorch comes first and by itself, so that its build is the one that was asked for; the rest finds it there.
$(STAMPS)/torch: $(STAMPS)/venv constraints.txt
	@$(MEND)
	$(PIP) install $(if $(TORCH_INDEX),--index-url "$(TORCH_INDEX)") "`grep '^torch==' constraints.txt`"
	@touch $@

$(STAMPS)/app: $(STAMPS)/torch pyproject.toml constraints.txt
	@$(MEND)
	$(PIP) install -c constraints.txt -e .
	@touch $@

$(STAMPS)/dev: $(STAMPS)/app
	@$(MEND)
	$(PIP) install -c constraints.txt -e ".[dev]"
	@touch $@

# A Chromium that is there, else Debian's, else Playwright's own; without any the tests fail that need it.
browser: $(STAMPS)/dev
	@if $(BIN)/python -m tests.browser; then exit 0; fi; \
	if [ "$$HRED_ALLOW_MISSING" = browser ]; then echo "make: no Chromium; its tests are left out"; exit 0; fi; \
	if [ -n "$$HRED_CHROMIUM" ]; then \
	    echo "make: HRED_CHROMIUM names $$HRED_CHROMIUM, which is no program; correct or unset it" >&2; exit 1; \
	fi; \
	if [ "`id -u`" = 0 ] && command -v apt-get >/dev/null; then \
	    apt-get update -qq; DEBIAN_FRONTEND=noninteractive apt-get install -y -q chromium fonts-noto-cjk && exit 0; \
	fi; \
	$(BIN)/python -m playwright install chromium && exit 0; \
	echo "make: no Chromium is here and none could be installed; install one and name it by HRED_CHROMIUM=PATH," \
	    "or leave its tests out: make test HRED_ALLOW_MISSING=browser" >&2; exit 1

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find app dialog tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
