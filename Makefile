# One verb per job; .ci/run and .github/workflows/ci.yml call the same.
PYTHON ?= python
BACKENDS_VENV ?= .venv-backends

.PHONY: check format lint types test docs
check: format lint types test docs

format:
	$(PYTHON) -m ruff format .

lint:
	$(PYTHON) -m ruff format --check .
	$(PYTHON) -m ruff check .

types:
	$(PYTHON) -m mypy

test:
	$(PYTHON) -m pytest

# Ratios that must not get worse, with their history; the step of training is compared where BACKENDS_VENV is there.
.PHONY: bench
bench:
	$(PYTHON) -m benchmarks.guard $(addprefix --bare ,$(wildcard $(BACKENDS_VENV)/bin/python))

# Strictly, from nothing, and without a network: docs/conf.py refuses a page that loads anything from elsewhere.
docs:
	rm -rf docs/_build docs/api/generated
	$(PYTHON) -m sphinx -W --keep-going -n -q -b html docs docs/_build/html

# The Keras layers and models under the other two backends, without TensorFlow; not part of `make check`.
BACKEND_TESTS = $(wildcard tests/fusion/test_*.py tests/network/test_members.py tests/network/test_branch*.py tests/network/test_model*.py tests/network/test_patch_backbone.py tests/network/test_training.py)

.PHONY: backends
backends: $(BACKENDS_VENV)/installed
	KERAS_BACKEND=jax $(BACKENDS_VENV)/bin/python -m pytest -q $(BACKEND_TESTS)
	KERAS_BACKEND=torch $(BACKENDS_VENV)/bin/python -m pytest -q $(BACKEND_TESTS)

$(BACKENDS_VENV)/installed: requirements-backends.txt
	python3 -m venv $(BACKENDS_VENV)
	$(BACKENDS_VENV)/bin/python -m pip install -r requirements-backends.txt
	touch $@
