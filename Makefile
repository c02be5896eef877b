# Needs git, make and Python 3.11 to 3.13; everything else goes into .venv.
#
#   make app     set up once, then serve the app
#   make test    set up once, then run all tests, two files at a time (WORKERS=4: four);
#                make test ARGS="tests/core/metrics/test_classification.py -x" runs those alone, one by one
#   make lint    style, format and types
#   make clean   remove .venv and caches; models, data sets and runs stay
#
# PYTHON=/path/to/python3 chooses another Python; CHROMIUM=no installs no browser for the tests.

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?=
CHROMIUM ?= yes
WORKERS ?= 2
ARGS ?=

.PHONY: app test lint clean chromium
.DELETE_ON_ERROR:

# --server.showEmailPrompt: Streamlit's question on the first start would wait for an answer.
# --server.address: this computer only; not in config.toml, for hosting services need it open.
app: $(VENV)/app.stamp
	$(BIN)/python -m streamlit run app.py --server.showEmailPrompt=false \
	  --server.address=localhost $(ARGS)

# The tests of a file stay together, for they share what takes long to make. Those that depend on
# the time that something takes come last, with the machine to themselves.
test: $(VENV)/dev.stamp chromium
ifeq ($(strip $(ARGS)),)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder -m "not alone"
	$(BIN)/python -m pytest -m alone $$(grep -rl --include='test_*.py' 'mark\.alone' tests)
else
	$(BIN)/python -m pytest $(ARGS)
endif

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

clean:
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A name alone proves nothing (pyenv leaves names that only print an error), so each one is tried.
$(VENV)/pyvenv.cfg:
	@for python in $(or $(PYTHON),python3.12 python3.11 python3.13 python3 python); do \
	  if "$$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
	    2>/dev/null; then \
	    echo "Making $(VENV) with $$("$$python" --version) ($$python)"; \
	    "$$python" -m venv $(VENV) && exit 0; \
	    rm -rf $(VENV); \
	    echo "$$python could not make a virtual environment." >&2; \
	    echo "On Debian and Ubuntu: apt-get install python3-venv" >&2; \
	    exit 1; \
	  fi; \
	done; \
	echo "No Python 3.11, 3.12 or 3.13 was found$(if $(PYTHON), at $(PYTHON));" \
	  "TensorFlow has no build for others." >&2; \
	echo "Install one, or name it: make app PYTHON=/path/to/python3.12" >&2; \
	exit 1

$(VENV)/app.stamp: requirements.txt $(VENV)/pyvenv.cfg
	@echo "Installing the requirements; the first time this takes a few minutes."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $@

$(VENV)/dev.stamp: requirements-dev.txt $(VENV)/app.stamp
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	@touch $@

# The browser tests drive Debian's Chromium. Where it cannot be had they are skipped and say so.
chromium:
	@for browser in chromium chromium-browser google-chrome; do \
	  if command -v $$browser >/dev/null; then exit 0; fi; \
	done; \
	as_root=; \
	if [ "$$(id -u)" != 0 ]; then as_root="sudo -n"; fi; \
	if [ "$(CHROMIUM)" = yes ] && command -v apt-get >/dev/null && $$as_root true 2>/dev/null; then \
	  echo "Installing chromium for the browser tests."; \
	  if $$as_root apt-get update -qq \
	    && $$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; \
	  then exit 0; fi; \
	fi; \
	echo "No Chromium here and none could be installed: the browser tests will be skipped."
