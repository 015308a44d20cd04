# `make demo`, `make test` and `make docs` work on a fresh machine with Python 3.11 or newer: each makes .venv first.
PYTHON ?= python3
VENV := .venv
RUN := $(VENV)/bin/python
TESTS := OMP_NUM_THREADS=1 $(RUN) -m pytest -n 2 --dist worksteal
# Where there is no NVIDIA GPU, PyTorch's CPU build is asked for first; it is a tenth of the size.
CPU_TORCH := https://download.pytorch.org/whl/cpu

.PHONY: demo test coverage docs gpu clean

demo: $(VENV)/ready
	$(RUN) -m experiments.demo

test: $(VENV)/ready
	$(RUN) -m ruff check .
	$(RUN) -m mypy
	$(TESTS)

# Not a part of `make test`, since measuring coverage takes two fifths more CPU time.
coverage: $(VENV)/ready
	$(TESTS) --cov=scenefit --cov-report=term:skip-covered --cov-fail-under=90

# Needs an NVIDIA GPU; at most 8 minutes.
gpu: $(VENV)/ready
	$(RUN) -m benchmarks.gpu

docs: $(VENV)/docs-ready
	NO_MKDOCS_2_WARNING=1 $(RUN) -m mkdocs build --strict

$(VENV)/ready: pyproject.toml constraints.txt
	$(PYTHON) -c "import sys; sys.exit(sys.version_info < (3, 11) and 'scenefit needs Python 3.11 or newer; set PYTHON=python3.x')"
	$(PYTHON) -m venv $(VENV)
	command -v nvidia-smi >/dev/null || $(RUN) -m pip install --quiet --timeout 5 --retries 0 --constraint constraints.txt --index-url $(CPU_TORCH) torch || true
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

$(VENV)/docs-ready: $(VENV)/ready
	$(RUN) -m pip install --quiet --constraint constraints.txt --editable '.[docs]'
	touch $@

clean:
	rm -rf $(VENV) runs build dist
