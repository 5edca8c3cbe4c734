# Everything happens in .venv, made from setup.cfg the first time and again when that
# changes. Only relative paths are used: the checkout may stand anywhere.

PYTHON ?= python3

SHELL := /bin/sh
MAKEFLAGS += --no-print-directory
VENV := .venv
RUN := $(VENV)/bin/python
PIP := $(RUN) -m pip --disable-pip-version-check --quiet install --use-pep517

# The checkout by a plain path: what setuptools would make costs each process 30 ms.
EDITABLE := --config-settings editable_mode=compat --editable

.PHONY: help demo test test-pages faults faults-long fuzz lint check clean
.PHONY: bench bench-million bench-peers bench-charts bench-tools browser screenshots

help:
	@echo 'make demo    start the service with an example application and watch it work'
	@echo 'make test    run every test'
	@echo 'make test-pages  try the pages in a real browser'
	@echo 'make faults  kill, cut, fill, freeze the service under load; make faults-long for hours'
	@echo 'make fuzz    ask for hours what /openapi.json describes, and judge the answers'
	@echo 'make lint    format, lint and types'
	@echo 'make check   lint, test, faults: what CI runs'
	@echo 'make bench   measure rates, cost and latency; make bench-million a million tasks;'
	@echo '             make bench-peers the same work on Celery, Dramatiq, Huey, RQ;'
	@echo '             make bench-charts draws what was measured into docs/'
	@echo 'make screenshots  the pictures of the page in docs/, in six minutes'
	@echo 'make clean   remove what make made'

demo: $(VENV)/ready-to-run
	@$(RUN) -m poussetaches demo

# Two tests at a time, but for those that measure time. Branches are counted where that
# slows nothing down that is timed: not in the tests that start the real program.
test: $(VENV)/ready-to-test
	@$(RUN) -m pytest -m 'not process' -n 2 --cov --cov-report=
	@$(RUN) -m coverage report
	@$(RUN) -m pytest -m 'process and not alone and not browser' -n 2 --dist loadfile
	@$(RUN) -m pytest -m alone

# The pages in a browser. Root on a Debian can have one; without one, the tests are
# skipped.
test-pages: $(VENV)/ready-to-test browser
	@$(RUN) -m pytest -m browser

browser:
	@for name in chromium chromium-browser google-chrome-stable google-chrome; do \
	  command -v $$name >/dev/null && exit 0; \
	done; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
	  echo 'Installing chromium with apt-get, for the tests of the pages ...'; \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends chromium fonts-dejavu-core; } \
	    >/dev/null && exit 0; \
	fi; \
	echo 'Without a browser the pages are not tested: sudo apt-get install chromium'

faults: $(VENV)/ready-to-test
	@$(RUN) -m tests.faults

# How often everything is done, and how many seconds everything at once goes on at last.
ROUNDS ?= 20
SOAK ?= 600

faults-long: $(VENV)/ready-to-test
	@$(RUN) -m tests.faults --rounds $(ROUNDS) --soak $(SOAK)

# How many requests of each kind for each operation; the tests make few of them.
EXAMPLES ?= 500

fuzz: $(VENV)/ready-to-test
	@$(RUN) -m tests.openapi --examples $(EXAMPLES)

lint: $(VENV)/ready-to-test
	$(RUN) -m ruff format --check .
	$(RUN) -m ruff check .
	$(RUN) -m mypy

# One after the other even under -j, cheapest first: one thing to read at a time.
check:
	@$(MAKE) lint
	@$(MAKE) test
	@$(MAKE) faults

bench: $(VENV)/ready-to-test bench-tools
	@$(RUN) -m bench rates --json .bench/rates.json

bench-million: $(VENV)/ready-to-test bench-tools
	@$(RUN) -m bench million --json .bench/million.json

bench-charts: $(VENV)/ready-to-draw
	@$(RUN) -m bench charts

# A generator and a receiver that cost next to nothing; root on a Debian can have them.
# Their package would start an nginx of the machine's own: nobody asked for that one.
bench-tools:
	@command -v wrk >/dev/null && PATH=$$PATH:/usr/sbin command -v nginx >/dev/null || { \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo 'wrk or nginx is missing: sudo apt-get install wrk nginx-light'; exit 1; \
	  fi; \
	  echo 'Installing wrk and nginx with apt-get ...'; \
	  had_nginx=$$(PATH=$$PATH:/usr/sbin command -v nginx); \
	  [ -d /run/systemd/system ] && [ -z "$$had_nginx" ] && \
	    systemctl --quiet mask --runtime nginx; \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends wrk nginx-light; } >/dev/null \
	    || exit 1; \
	  [ -d /run/systemd/system ] && [ -z "$$had_nginx" ] && \
	    systemctl --quiet unmask --runtime nginx && systemctl --quiet disable nginx; \
	  true; }

bench-peers: $(VENV)/ready-to-test
	@$(RUN) -m bench.peers --json .bench/peers.json

screenshots: $(VENV)/ready-to-draw browser
	@$(RUN) -m tests.web docs/page

clean:
	rm -rf $(VENV) .bench build dist *.egg-info .coverage .coverage.* htmlcov
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/ready-to-run: setup.cfg setup.py | $(VENV)/bin/pip
	@echo 'Installing poussetaches and its libraries into $(VENV) (about a minute) ...'
	@$(PIP) $(EDITABLE) .
	@touch $@

$(VENV)/ready-to-test: $(VENV)/ready-to-run
	@echo 'Installing what the tests need into $(VENV) (about a minute) ...'
	@$(PIP) $(EDITABLE) '.[test]'
	@touch $@

$(VENV)/ready-to-draw: $(VENV)/ready-to-test
	@echo 'Installing what the charts need into $(VENV) (about a minute) ...'
	@$(PIP) $(EDITABLE) '.[charts]'
	@touch $@

# Debian ships python3 without what venv needs; root on such a machine can have it.
$(VENV)/bin/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10))' || { \
	  echo 'poussetaches needs Python 3.10 or newer: make PYTHON=/path/to/python3'; \
	  exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  package=$$($(PYTHON) -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])'); \
	  if [ "$$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then \
	    echo "Python's venv is missing: sudo apt-get install $$package"; exit 1; \
	  fi; \
	  echo "Installing $$package with apt-get, as this Python has no venv ..."; \
	  { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
	    apt-get -qq install -y --no-install-recommends "$$package"; } >/dev/null; }
	@echo 'Making a virtual environment in $(VENV) ...'
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV)
