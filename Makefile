# Two commands for a newcomer: `make demo` and `make test`. Both install what they need into .venv.
PYTHON ?= python3
# nproc takes OMP_NUM_THREADS, which is about threads of a process, for the number of cores
CORES ?= $(shell env -u OMP_NUM_THREADS -u OMP_THREAD_LIMIT nproc 2>/dev/null || echo 2)
VENV := .venv
BIN := $(VENV)/bin
LOWEST := .venv-lowest
FAST := "not slow and not workflow and not long and not slurm"
SNAKEMAKE := $(BIN)/snakemake --profile workflow/profiles/local --cores $(CORES)

# byte code halves the start-up of every stage
unexport PYTHONDONTWRITEBYTECODE
export OMP_NUM_THREADS ?= 1

.DEFAULT_GOAL := help
.PHONY: help install try demo dry-run test test-fast test-long test-lowest coverage mutants slurm-test bench bench-suite bench-data bench-solvers bench-training bench-ablation bench-arms bench-scaling bench-spectra bench-sampling bench-painting bench-inference lint format schema docs clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(VENV)/.installed: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("Python >= 3.11 is needed, this is " + sys.version) if sys.version_info < (3, 11) else None'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "installing into $(VENV); torch is large: this takes a few minutes once"
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[workflow,inference,dev,docs]'
	# the oracle of the solvers' tests; its samplers need neither torchvision nor gdown, which it names
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --no-deps azula
	@touch $@

install: $(VENV)/.installed  ## create .venv and install everything

try: $(VENV)/.installed  ## draw a window by the model that comes with the package, into try.png: seconds
	@OMP_NUM_THREADS=$(CORES) $(BIN)/emulator try

demo: $(VENV)/.installed  ## the whole pipeline on the embedded suite: about ten minutes on two cores
	@echo "about ten minutes on two cores: two for simulations and maps, six for training, two for the rest"
	@$(SNAKEMAKE) --configfile configs/demo.yaml
	@echo "report: results/demo/report.html"

dry-run: $(VENV)/.installed  ## what `make demo` would run
	@$(SNAKEMAKE) --configfile configs/demo.yaml --dry-run

test: $(VENV)/.installed  ## the gate: all tests but those of test-long and slurm-test
	$(BIN)/python -m pytest --numprocesses 2

test-fast: $(VENV)/.installed  ## tests that take seconds, while you work
	$(BIN)/python -m pytest --numprocesses 2 -m $(FAST)

test-long: $(VENV)/.installed  ## nightly: the tests that take minutes each
	$(BIN)/python -m pytest -m long

test-lowest:  ## the tests of test-fast with the lowest versions of all dependencies, in .venv-lowest
	test -x $(LOWEST)/bin/python || $(PYTHON) -m venv $(LOWEST)
	$(LOWEST)/bin/python .ci/lowest.py > $(LOWEST)/lowest.txt
	$(LOWEST)/bin/python -m pip install --quiet --constraint $(LOWEST)/lowest.txt --editable '.[pipeline,report,formats,dev]'
	$(LOWEST)/bin/python -m pytest --numprocesses 2 -m $(FAST)

coverage: $(VENV)/.installed  ## which lines and branches of the package the tests of test-fast run
	$(BIN)/python -m pytest --numprocesses 2 -m $(FAST) --cov --cov-report=term

mutants: $(VENV)/.installed  ## nightly: how many small changes of a PACKAGE its fast tests notice: ten minutes each
	$(BIN)/python tests/mutants/run.py $(or $(PACKAGE),metrics) --sample $(or $(SAMPLE),60)

slurm-test: $(VENV)/.installed  ## the gate, too: the workflow on a real Slurm of this machine (Debian, root): eight minutes
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[cluster]'
	tests/slurm/slurm_node.sh start
	$(BIN)/python -m pytest -m slurm tests/slurm; code=$$?; tests/slurm/slurm_node.sh stop --force; exit $$code

bench: bench-data bench-suite bench-solvers bench-training  ## nightly: what needs no demo of the measurements below: 40 minutes

bench-solvers: $(VENV)/.installed  ## nightly: errors of all solvers where the answer is exact, into docs/solvers.md: two minutes
	OMP_NUM_THREADS=$(CORES) $(BIN)/python -m analysis.benchmarks.solvers

bench-suite: $(VENV)/.installed  ## nightly: measure what the embedded suite can be trusted for: half an hour
	$(BIN)/python -m analysis.benchmarks.suite

bench-data: $(VENV)/.installed  ## nightly: measure the way from files to batches, against Pylians: five minutes
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m analysis.benchmarks.data

bench-training: $(VENV)/.installed  ## nightly: network against diffusers', shares of a step: two minutes
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	OMP_NUM_THREADS=$(CORES) $(BIN)/python -m analysis.benchmarks.training network step

bench-ablation: demo  ## nightly: what the defaults are chosen by, at equal budget: 45 minutes after the demo
	$(BIN)/python -m analysis.benchmarks.training ablation

bench-arms: demo  ## nightly: options of training and channels, each through the demo's judge: ten minutes an arm and seed
	$(BIN)/python -m analysis.benchmarks.arms

bench-sampling: demo  ## nightly: time of members beside their networks, and a peer's cost: two minutes
	OMP_NUM_THREADS=$(CORES) $(BIN)/python -m analysis.benchmarks.sampling

bench-painting: demo  ## nightly: seams, power, time and memory of whole boxes: minutes
	OMP_NUM_THREADS=$(CORES) $(BIN)/python -m analysis.benchmarks.painting

bench-inference: demo  ## nightly: coverage of posteriors of parameters, precision of likelihoods: ten minutes
	$(BIN)/python -m analysis.benchmarks.inference

bench-spectra: demo  ## nightly: spectra against their transforms and Pylians, all statistics, judge and page: ten minutes
	-$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[bench]'
	$(BIN)/python -m analysis.benchmarks.spectra

bench-scaling: demo  ## nightly: scores against steps, parameter points and width: hours
	$(BIN)/python -m analysis.benchmarks.scaling

lint: $(VENV)/.installed  ## the gate: style, types, layers, workflow format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/snakefmt --check Snakefile workflow

format: $(VENV)/.installed  ## format everything
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/snakefmt Snakefile workflow

schema: $(VENV)/.installed  ## regenerate the JSON schema of the config
	$(BIN)/emulator schema --output workflow/schemas/config.schema.yaml

docs: $(VENV)/.installed  ## build the site of the documentation: docs/_build/html/index.html
	$(BIN)/python -m sphinx --fresh-env --fail-on-warning --keep-going --quiet docs docs/_build/html
	@echo "site: docs/_build/html/index.html"

clean:  ## remove simulations, maps and results (not .venv)
	rm -rf data/raw data/processed results .snakemake
