# make lab    set up if need be, then open notebook 1 in JupyterLab
# make test   set up if need be, then run every test
# make serve  set up if need be, then answer searches on http://127.0.0.1:8000 (PORT=8001: elsewhere)
# make browser, make outputs, make benchmark, make style: for those who change the course
# make cross-encoder TEACHER=folder PAIRS=folder OUT=folder: trains the weights anew (hours)

PYTHON ?= $(shell command -v python3.11 || command -v python3 || command -v python)
TORCH = torch==2.13.0
BIN = .venv/bin
READY = .venv/ready
LAB_ARGS ?=
PORT ?= 8000
NOTEBOOKS = $(sort $(wildcard notebooks/0*.ipynb notebooks/solutions/0*.ipynb))
export RERANKING_MODELS ?= auto
export PYTHONWARNINGS ?= ignore

.PHONY: lab test browser serve outputs benchmark style scaling cross-encoder

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

serve: $(READY)
	@cd notebooks && ../$(BIN)/python -m reranking.serving --port $(PORT)

outputs: $(READY)
	$(BIN)/python tests/make_outputs.py $(NOTEBOOKS)

benchmark: $(READY)
	$(BIN)/python tests/benchmark.py

scaling: $(READY)
	PYTHONPATH=notebooks $(BIN)/python -m reranking.scaling

cross-encoder: $(READY)
	@cd notebooks && ../$(BIN)/python -m reranking.training --out "$(abspath $(or $(OUT),work))" \
		$(if $(TEACHER),--teacher "$(abspath $(TEACHER))") $(if $(PAIRS),--pairs "$(abspath $(PAIRS))")

style: $(READY)
	$(BIN)/ruff check --fix . && $(BIN)/ruff format .

$(READY): requirements.txt
	@test -n "$(PYTHON)" || { echo "Python 3.11 is needed. Install it from https://www.python.org"; exit 1; }
	@"$(PYTHON)" -c 'import sys; v = sys.version_info; sys.exit(v < (3, 11) and f"Python 3.11 or newer is needed, this is {v.major}.{v.minor}. Name another: make lab PYTHON=/path/to/python3.11")'
	@echo "Setting up .venv with the packages in requirements.txt: a few minutes, once."
	@"$(PYTHON)" -m venv .venv
	@$(BIN)/pip install --quiet --disable-pip-version-check $(TORCH) --retries 0 --timeout 10 --index-url https://download.pytorch.org/whl/cpu 2>/dev/null \
		|| $(BIN)/pip install --quiet --disable-pip-version-check $(TORCH)
	@$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	@touch $(READY)
	@echo "Ready."
