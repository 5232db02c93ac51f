# Two commands a newcomer needs: make demo, make test. The rest is for those who change the code.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
DEMO_VENV := .venv-demo
DEMO_STAMP := $(DEMO_VENV)/.installed
TOOLS_VENV := .venv-tools
TOOLS_STAMP := $(TOOLS_VENV)/.installed
DEPS_VENV := .venv-deps
DEPS_STAMP := $(DEPS_VENV)/.installed
LANE_VENV := .venv-lane
FUZZ_VENV := .venv-fuzz
FUZZ_STAMP := $(FUZZ_VENV)/.installed

.PHONY: demo test check coverage bench trust fuzz mutants tricks selfaudit docs screenshots clean
.PHONY: lock audit-deps dist-test test-newest test-lowest test-pre test-offline

# The audit ends with 1 when it found something, and the example is built to be caught.
demo: $(DEMO_STAMP)
	@$(DEMO_VENV)/bin/pfungst demo --out pfungst-run-demo; code=$$?; \
	  if [ $$code -gt 1 ]; then exit $$code; fi; \
	  echo "Open pfungst-run-demo/report.html in a browser. The twin without the trick: $(DEMO_VENV)/bin/pfungst demo --clean"

test: $(STAMP)
	$(BIN)/pytest -n 2 --dist worksteal

check: $(STAMP)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/pytest -n 2 --dist worksteal

# Which lines and branches of pfungst the tests reach (COVERED=path: those tests alone), in subprocesses and workers too;
# ends with 1 where a test fails, or they reach fewer than 95 % of the lines or 90 % of the branches.
coverage: $(STAMP)
	rm -rf build/coverage
	@$(BIN)/coverage run -m pytest -n 2 --dist worksteal $(COVERED); tests=$$?; $(BIN)/coverage combine --quiet && \
	  $(BIN)/coverage json --quiet && $(BIN)/python scripts/covered.py && exit $$tests

# What pfungst costs beside other packages, in environments of their own, and how costs grow: ratios, into
# benchmarks/results.json and from there into docs/benchmarks.md.
bench: $(STAMP)
	$(BIN)/python benchmarks/run.py
	$(BIN)/python scripts/benchmark_page.py

# What is done with bad inputs, one by one, and whether audits that are killed at random moments end as if they were not.
trust: $(STAMP)
	$(BIN)/python benchmarks/bad_inputs.py
	$(BIN)/python scripts/random_kills.py --times 30 --only calibration,mistakes

# Everything that reads files and answers is given inputs that are changed again and again, for FUZZ_SECONDS each
# (FUZZ_ONLY=csv,npz: those alone), FUZZ_AT_ONCE at a time, guided by the branches that they reach; ends with 1 if any of
# them is not refused.
FUZZ_SECONDS ?= 1800
FUZZ_AT_ONCE ?= 2
fuzz: $(FUZZ_STAMP)
	PYTHONPATH=$(CURDIR) $(FUZZ_VENV)/bin/python scripts/fuzz.py --seconds $(FUZZ_SECONDS) --at-once $(FUZZ_AT_ONCE) --only "$(FUZZ_ONLY)"

# Small faults are put into the statistics one at a time; prints how many of them the tests notice, and which they do not.
mutants: $(STAMP)
	$(BIN)/python scripts/mutants.py

# Networks with a known trick or none; pfungst and other tools, in environments of their own, are asked about each.
tricks: $(STAMP)
	$(BIN)/python benchmarks/tricks/build.py
	$(BIN)/python benchmarks/tricks/catch.py --write
	$(BIN)/python benchmarks/tricks/power.py

# How often whole audits accuse networks without a fault, and find planted ones; goes on where it was stopped.
selfaudit: $(STAMP)
	$(BIN)/python benchmarks/selfaudit/run.py --write

# Writes the generated pages, then the site into build/site; a broken link ends it (with --quiet it would not).
docs: $(STAMP)
	$(BIN)/python scripts/method_tables.py
	$(BIN)/python scripts/cli_reference.py
	$(BIN)/python scripts/task_reference.py
	$(BIN)/python scripts/tutorials.py
	$(BIN)/python scripts/benchmark_page.py
	$(BIN)/pfungst schema > pfungst/report/audit.schema.json
	$(BIN)/mkdocs build --strict
	@echo "Open build/site/index.html in a browser."

# Reports as people see them, of the example and, where PFUNGST_DATA names the folder of development data, of a CIFAR-10
# network; the first screen of the example is the picture in the README.
CIFAR_MODEL := models/cifar10_resnet20/model.onnx
CIFAR_DATA := images/cifar10_test_jpeg.npz
screenshots: $(STAMP)
	-$(BIN)/pfungst demo --out build/demo --quiet
	$(BIN)/python scripts/screenshots.py build/demo build/screenshots/demo
	cp build/screenshots/demo/light.png docs/report.png
	if [ -n "$$PFUNGST_DATA" ]; then \
	  $(BIN)/pfungst audit "$$PFUNGST_DATA/$(CIFAR_MODEL)" "$$PFUNGST_DATA/$(CIFAR_DATA)" --rows 1000 --out build/cifar --quiet; \
	  $(BIN)/python scripts/screenshots.py build/cifar build/screenshots/cifar; \
	fi

# Versions and hashes of requirements/ anew; what stands there is kept where it still fits, but for `make lock UPGRADE=1`.
lock: $(TOOLS_STAMP)
	$(TOOLS_VENV)/bin/python scripts/lock.py $(if $(UPGRADE),--upgrade)

# Licences, a bill of materials and known vulnerabilities of all that pfungst and its extras bring.
audit-deps: $(TOOLS_STAMP) $(DEPS_STAMP)
	$(TOOLS_VENV)/bin/python scripts/dependencies.py $(DEPS_VENV)

# What people would install, built, looked into and used.
dist-test: $(TOOLS_STAMP)
	$(TOOLS_VENV)/bin/python scripts/check_dist.py

# The tests beside other versions than the locked ones, each time in a new environment: the newest, those about to come,
# the oldest that pyproject.toml allows. LANE= runs all tests, LANE=path those.
LANE ?= tests/contract tests/golden
NEW_LANE = rm -rf $(LANE_VENV) && $(PYTHON) -m venv $(LANE_VENV)
INTO_LANE := $(LANE_VENV)/bin/pip install --quiet --disable-pip-version-check
test-newest:
	$(NEW_LANE)
	$(INTO_LANE) torch==2.13.0 -e .[dev,sklearn-io]
	$(LANE_VENV)/bin/pytest -n 2 --dist worksteal $(LANE)

test-pre:
	$(NEW_LANE)
	$(INTO_LANE) --pre torch==2.13.0 -e .[dev,sklearn-io]
	$(LANE_VENV)/bin/pytest -n 2 --dist worksteal $(LANE)

test-lowest: $(TOOLS_STAMP)
	$(NEW_LANE)
	mkdir -p build
	$(TOOLS_VENV)/bin/python scripts/lowest.py > build/lowest.txt
	$(INTO_LANE) --only-binary :all: -r build/lowest.txt
	$(INTO_LANE) torch==2.13.0
	$(LANE_VENV)/bin/pip $(OURS) -e .
	$(LANE_VENV)/bin/pytest -n 2 --dist worksteal $(LANE)

# The locked versions, and no other machine: whatever Python opens, in workers and subprocesses too, is refused and noted.
test-offline: $(STAMP)
	mkdir -p build && rm -f build/attempts.txt
	PYTHONPATH=$(CURDIR)/tests/offline PFUNGST_ATTEMPTS=$(CURDIR)/build/attempts.txt $(BIN)/pytest -n 2 --dist worksteal $(LANE)
	@if [ -e build/attempts.txt ]; then sort build/attempts.txt | uniq -c; exit 1; fi

# Everything comes as a wheel whose hash stands in requirements/; nothing else is fetched, and nothing is built but pfungst.
LOCKED := install --quiet --disable-pip-version-check --no-compile --no-deps --only-binary :all: --require-hashes
OURS := install --quiet --disable-pip-version-check --no-deps --no-build-isolation

$(DEMO_STAMP): pyproject.toml requirements/base.txt
	$(PYTHON) -m venv $(DEMO_VENV)
	$(DEMO_VENV)/bin/pip $(LOCKED) -r requirements/base.txt
	$(DEMO_VENV)/bin/pip $(OURS) .
	touch $@

# torch is installed by its version, the one thing without a hash: see scripts/lock.py. What it needs is there by then.
$(STAMP): pyproject.toml requirements/dev.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip $(LOCKED) -r requirements/dev.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0
	$(BIN)/pip $(OURS) -e .
	$(BIN)/pip check --disable-pip-version-check
	touch $@

# The fuzzer alone; whatever else is needed is that of the tests.
PACKAGES := python -c "import sysconfig; print(sysconfig.get_path('purelib'))"
$(FUZZ_STAMP): requirements/fuzz.txt $(STAMP)
	$(PYTHON) -m venv $(FUZZ_VENV)
	$(FUZZ_VENV)/bin/pip $(LOCKED) -r requirements/fuzz.txt
	$(BIN)/$(PACKAGES) > "$$($(FUZZ_VENV)/bin/$(PACKAGES))/tests.pth"
	touch $@

$(TOOLS_STAMP): requirements/tools.txt
	$(PYTHON) -m venv $(TOOLS_VENV)
	$(TOOLS_VENV)/bin/pip $(LOCKED) -r requirements/tools.txt
	touch $@

$(DEPS_STAMP): pyproject.toml requirements/extras.txt
	$(PYTHON) -m venv $(DEPS_VENV)
	$(DEPS_VENV)/bin/pip $(LOCKED) -r requirements/extras.txt
	$(DEPS_VENV)/bin/pip install --quiet --disable-pip-version-check --no-compile torch==2.13.0 torchvision==0.28.0
	$(DEPS_VENV)/bin/pip check --disable-pip-version-check
	touch $@

clean:
	rm -rf $(VENV) $(DEMO_VENV) $(TOOLS_VENV) $(DEPS_VENV) $(LANE_VENV) $(FUZZ_VENV) build dist pfungst-run* .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
