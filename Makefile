# make demo: an assistant raised from nothing; make test: every test and linter.
# TORCH_INDEX=https://… takes torch from a CPU-only index (a smaller download where there is no GPU).
PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
OUT ?= runs/demo
PIP_FLAGS = -q --disable-pip-version-check -c constraints.txt $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX))
BIN = $(VENV)/bin

.PHONY: demo test lint results sigkill chaos soak bench bench-infer quality clean

demo: $(VENV)/.demo
	$(BIN)/fledge run recipes/demo.toml --out $(OUT)
	$(BIN)/fledge chat $(OUT)

test: lint
	$(BIN)/python -m pytest -n 2

# The same facts in one wording against five, three seeds: about half an hour on two cores.
results: $(VENV)/.demo
	$(BIN)/python benchmarks/wordings.py --json docs/results/wordings.json
	$(BIN)/python benchmarks/results.py render

# Ten SIGKILLs over all stages of a small run, compared byte for byte with an undisturbed one.
sigkill: $(VENV)/.demo
	$(BIN)/python benchmarks/sigkill.py

# A hundred rounds of kills, full disks, flipped bytes, lost shards and NaN, each ending as the undisturbed run does.
chaos: $(VENV)/.demo
	$(BIN)/python benchmarks/chaos.py --json docs/results/chaos.json

# 64 clients at once for five minutes, some of them rude: nothing but the deserved 4xx, no leak, every stream whole.
soak: $(VENV)/.dev
	$(BIN)/python benchmarks/soak.py --json docs/results/soak.json

# Training speed beside nanoGPT, litgpt, transformers and nanochat, under ten minutes; benchmarks/peers/README.md tells
# how to get them. make bench PEERS="--peers-python … --nanogpt … --nanochat …" BENCH=--full
bench: $(VENV)/.demo
	$(BIN)/python benchmarks/speed.py $(PEERS) $(BENCH)

# Generation beside transformers and llama.cpp: prompts, one row, a full batch, requests arriving at random.
bench-infer: $(VENV)/.dev
	$(BIN)/python benchmarks/inference.py $(BENCH)

# Bits per byte against time and tokens beside the same peers, from scratch: hours on two cores.
quality: $(VENV)/.demo
	$(BIN)/python benchmarks/time_to_quality.py $(PEERS) $(BENCH)

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.demo: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "installing into $(VENV)"
	@start=$$(date +%s); $(BIN)/python -m pip install $(PIP_FLAGS) -e . && echo "installed in $$(( $$(date +%s) - start )) s"
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install $(PIP_FLAGS) -e '.[dev]'
	@touch $@ $(VENV)/.demo

clean:
	rm -rf $(VENV) build dist src/*.egg-info
