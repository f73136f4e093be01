# make lab    set up if need be, then open notebook 1 in JupyterLab
# make test   set up if need be, then run every test
# make serve  set up if need be, then answer searches on http://127.0.0.1:8000 (PORT=8001: elsewhere)
# make slides  slides of all notebooks in slides/, to present without a network
# make site   the course as a static, searchable site in _build/html
# make browser, make robust, make outputs, make benchmark, make scaling, make cluster, make style: for those who change the course
# make cross-encoder TEACHER=folder PAIRS=folder OUT=folder: trains the weights anew (hours)
#   from weights that there are: START=folder STEPS="--distil 0 --judge 0 --afar 0 --long 0 400"

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
TORCH = torch==2.13.0
BIN = .venv/bin
READY = .venv/ready
LAB_ARGS ?=
PORT ?= 8000
NOTEBOOKS = $(sort $(wildcard notebooks/0*.ipynb notebooks/solutions/0*.ipynb))
FAILED = { echo "The packages could not be installed: see the lines above. Run the command again to go on."; exit 1; }
SHELL = bash
.SHELLFLAGS = -o pipefail -c
export RERANKING_MODELS ?= auto
export PYTHONWARNINGS ?= ignore

.PHONY: lab test browser robust serve slides site outputs benchmark style scaling cluster cross-encoder

lab: $(READY)
	$(BIN)/jupyter lab $(LAB_ARGS) notebooks/01_bi_encoder.ipynb

test: export RERANKING_MODELS = bundled
# Two files run at a time, each on one core.
test: export OMP_NUM_THREADS = 1
test: $(READY)
	@echo "Checking style, data, module and labs, then running every notebook (about ten minutes)."
	$(BIN)/ruff check . && $(BIN)/ruff format --check .
	$(BIN)/python -m pytest -n 2 --dist loadfile --nbval --nbval-sanitize-with tests/nbval.cfg $(NOTEBOOKS) tests

# Every lab in Chromium, at two widths and in both themes; pictures go to screenshots/.
browser: export RERANKING_MODELS = bundled
browser: $(READY)
	$(BIN)/python -m pytest tests/browser

# Every cell of every notebook twice, backwards, and interrupted: half an hour.
robust: export RERANKING_MODELS = bundled
robust: export OMP_NUM_THREADS = 1
robust: $(READY)
	$(BIN)/python -m pytest tests/robust

serve: $(READY)
	@cd notebooks && ../$(BIN)/python -m reranking.serving --port $(PORT)

slides: $(READY)
	@$(BIN)/python tests/make_slides.py slides $(wildcard notebooks/0*.ipynb)

site: _build/tools/ready
	@_build/tools/bin/python tests/make_site.py _build

# The site's tool has an environment of its own: nothing that a learner needs.
_build/tools/ready: .github/site/requirements.txt
	@echo "Setting up the tool that builds the site: a minute, once."
	@"$(PYTHON)" -m venv _build/tools
	@_build/tools/bin/pip install --quiet --disable-pip-version-check -r .github/site/requirements.txt
	@touch _build/tools/ready

outputs: $(READY)
	$(BIN)/python tests/make_outputs.py $(NOTEBOOKS)

benchmark: $(READY)
	$(BIN)/python tests/benchmark.py

scaling: $(READY)
	@cd notebooks && ../$(BIN)/python -m reranking.scaling && ../$(BIN)/python -m reranking.distractors

cluster: $(READY)
	@cd notebooks && ../$(BIN)/python -m reranking.cluster_measuring $(CLUSTER_ARGS)

cross-encoder: $(READY)
	@cd notebooks && ../$(BIN)/python -m reranking.recipe --out "$(abspath $(or $(OUT),work))" \
		$(if $(TEACHER),--teacher "$(abspath $(TEACHER))") $(if $(PAIRS),--pairs "$(abspath $(PAIRS))") \
		$(if $(START),--start "$(abspath $(START))") $(STEPS)

style: $(READY)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

# Counts packages on one line, so that a slow network does not look like a standstill.
COUNT = | awk '/^Collecting|^Downloading/ { printf "\r  %d packages so far ", ++n; fflush() } END { if (n) print "" }'
NEEDED = 3500000  # kilobytes of free disk

$(READY): requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed. Install it from https://www.python.org"; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(not (3, 11) <= v < (3, 14) and f"Python 3.11, 3.12 or 3.13 is needed, this is {v.major}.{v.minor}. Name another: make lab PYTHON=/path/to/python3.11")'
	@test -w . || { echo "This folder cannot be written to. Copy the course to a folder of your own and try again there."; exit 1; }
	@free=$$(df -Pk . | awk 'NR == 2 { print $$4 }'); test "$$free" -ge $(firstword $(NEEDED)) || \
		{ echo "About 3.5 GB of free disk are needed here, only $$((free / 1000000)) GB are left. Make room and try again."; exit 1; }
	@"$(PYTHON)" -m venv .venv || { echo "Python could not make .venv. On Debian and Ubuntu: apt install python3-venv"; exit 1; }
	@echo "Setting up .venv, once: a few minutes, longer on a slow network. First PyTorch (about 200 MB)."
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off $(TORCH) --retries 0 --timeout 10 --index-url https://download.pytorch.org/whl/cpu 2>/dev/null $(COUNT) \
		|| $(BIN)/pip install --disable-pip-version-check --progress-bar off $(TORCH) $(COUNT) || $(FAILED)
	@echo "Then everything else (about 500 MB)."
	@$(BIN)/pip install --disable-pip-version-check --progress-bar off -r requirements.txt $(COUNT) || $(FAILED)
	@touch $(READY)
	@echo "Ready."
