# The developer's commands. `make help` lists them; CONTRIBUTING.md says more.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# QGIS's own Python: the tests inside QGIS need it, and the engine's venv may as well be made of it.
QGIS_PYTHON ?= /usr/bin/python3
# PyTorch's wheel index. Empty: torch comes from where pip is configured to look.
# See CONTRIBUTING.md for the CPU index, which spares the gigabytes of CUDA on machines without it.
export RASD_FUSION_TORCH_INDEX ?=

BUILD := build
STAMPS := $(BUILD)/stamps
VENV_TEST := $(BUILD)/venv-test
VENV_ENGINE_TEST := $(BUILD)/venv-engine-test
VENV_CHECK := $(BUILD)/venv-check
PROFILES ?= $(or $(XDG_DATA_HOME),$(HOME)/.local/share)/QGIS/QGIS3/profiles
ENGINE := $(or $(RASD_FUSION_ENGINE),$(or $(XDG_DATA_HOME),$(HOME)/.local/share)/rasd-fusion/engine)
DEMO := $(BUILD)/demo
SUDO := $(shell [ "$$(id -u)" = 0 ] || echo sudo)
PACKAGES := qgis python3-qgis python3-venv xvfb xauth imagemagick
# The release whose selective_scan_ref the readable scan was first held to.
MAMBA_SSM := 2.3.2.post1
PIP := bin/python -m pip --disable-pip-version-check install --quiet
TORCH_INDEX := $(if $(RASD_FUSION_TORCH_INDEX),--extra-index-url $(RASD_FUSION_TORCH_INDEX))

ENGINE_ROOMS := $(wildcard tests/contract tests/models tests/engine tests/benchmarks tests/hostile)
QGIS_ROOMS := $(wildcard tests/house tests/tools tests/contract tests/engine_link tests/processing tests/faults tests/plugin tests/gui)

.PHONY: help
help:  ## List these targets
	@echo "RASD Fusion: targets"
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: setup
setup: $(STAMPS)/engine $(STAMPS)/venv-test $(STAMPS)/venv-engine-test  ## Install what demo and test need (once)

.PHONY: demo
demo: $(STAMPS)/engine $(STAMPS)/venv-engine-test  ## Fuse a real scene by qgis_process; results in build/demo
	$(VENV_ENGINE_TEST)/bin/python benchmarks demo $(DEMO)

.PHONY: test
test: setup  ## Run every test: the engine's rooms, then QGIS's
	@status=0; \
	$(MAKE) --no-print-directory test-engine || status=1; \
	$(MAKE) --no-print-directory test-qgis || status=1; \
	exit $$status

.PHONY: test-engine
test-engine: $(STAMPS)/venv-engine-test  ## Run the tests of contract, models, engine and benchmarks
	$(VENV_ENGINE_TEST)/bin/pytest $(ENGINE_ROOMS) $(PYTEST)

.PHONY: test-qgis
test-qgis: $(STAMPS)/venv-test $(STAMPS)/engine  ## Run the tests inside QGIS
	QT_QPA_PLATFORM=offscreen $(VENV_TEST)/bin/pytest $(QGIS_ROOMS) $(PYTEST)

.PHONY: fuzz
fuzz: $(STAMPS)/venv-engine-test $(STAMPS)/fuzz  ## Spoilt requests, models and rasters (5 minutes; FUZZ="--seconds 60")
	$(VENV_ENGINE_TEST)/bin/python tools/fuzz.py $(FUZZ)

.PHONY: soak
soak: $(STAMPS)/venv-test $(STAMPS)/engine  ## Random requests with random faults (20 minutes; SOAK="--minutes 8")
	QT_QPA_PLATFORM=offscreen $(VENV_TEST)/bin/python tools/soak.py $(SOAK)

.PHONY: bench-demo
bench-demo: $(STAMPS)/engine $(STAMPS)/venv-engine-test  ## The demo with three seeds, and a real pair (ten minutes)
	$(VENV_ENGINE_TEST)/bin/python benchmarks bench-demo $(BENCH)

.PHONY: bench-peers
bench-peers: $(STAMPS)/venv-engine-test  ## Figures against the classical methods; goes on where it was (a night)
	$(VENV_ENGINE_TEST)/bin/python benchmarks peers $(BUILD)/bench-peers $(BENCH)

.PHONY: train-bundled
train-bundled: $(STAMPS)/venv-engine-test  ## Train models/pretrained anew, or on; WITHOUT=EnMAP: lacking a sensor (an hour)
	OMP_NUM_THREADS=1 $(VENV_ENGINE_TEST)/bin/python benchmarks train-bundled \
	    $(BUILD)/train-bundled$(if $(WITHOUT),-without-$(WITHOUT) --without $(WITHOUT)) $(BENCH)

.PHONY: bench-bundled
bench-bundled: $(STAMPS)/venv-engine-test  ## The bundled model by size, its time against CNMF's, its stated errors (minutes)
	$(VENV_ENGINE_TEST)/bin/python benchmarks bundled $(BENCH)

.PHONY: bench-complexity
bench-complexity: $(STAMPS)/venv-engine-test  ## Parameters, FLOPs, time and memory by r and N (minutes)
	$(VENV_ENGINE_TEST)/bin/python benchmarks complexity $(BENCH)

# Threads that wait without spinning, as the engine sets them before it imports torch.
.PHONY: bench-speed
bench-speed: $(STAMPS)/venv-engine-test  ## The network on a processor: against its limit, a plain build, other scans (minutes)
	OMP_WAIT_POLICY=PASSIVE $(VENV_ENGINE_TEST)/bin/python benchmarks speed $(BENCH)

.PHONY: bench-gpu
bench-gpu: $(STAMPS)/venv-engine-test  ## What only an NVIDIA card can show: the scans, TF32, CUDA graphs (minutes)
	$(VENV_ENGINE_TEST)/bin/python benchmarks gpu $(BENCH)

.PHONY: bench-ablation
bench-ablation: $(STAMPS)/venv-engine-test  ## The network without its parts; goes on where it was (a night)
	$(VENV_ENGINE_TEST)/bin/python benchmarks ablation $(BUILD)/bench-ablation $(BENCH)

.PHONY: bench-cave
bench-cave: $(STAMPS)/engine $(STAMPS)/venv-engine-test  ## rasd:train on two CAVE crops, tested on a third (an hour)
	$(VENV_ENGINE_TEST)/bin/python benchmarks cave $(BUILD)/bench-cave $(BENCH)

.PHONY: bench-scale
bench-scale: $(STAMPS)/venv-engine-test  ## Memory and time of whole runs, up to 8000 pixels a side (an hour)
	OMP_WAIT_POLICY=PASSIVE $(VENV_ENGINE_TEST)/bin/python benchmarks scale $(BENCH)

.PHONY: bench-cluster
bench-cluster: $(STAMPS)/venv-engine-test  ## What a tile costs a Dask worker, and the client (ten minutes)
	OMP_NUM_THREADS=1 $(VENV_ENGINE_TEST)/bin/python benchmarks cluster $(BENCH)

.PHONY: bench-adaptive
bench-adaptive: $(STAMPS)/venv-engine-test  ## Routing and terms by content against fixed ones (half an hour)
	OMP_NUM_THREADS=1 $(VENV_ENGINE_TEST)/bin/python benchmarks adaptive $(BUILD)/bench-adaptive $(BENCH)

.PHONY: bench-start
bench-start: $(STAMPS)/venv-test $(STAMPS)/engine  ## Seconds to the first tile, from cold and with a warm engine (minutes)
	QT_QPA_PLATFORM=offscreen $(VENV_TEST)/bin/python benchmarks start $(BENCH)

.PHONY: bench-heartbeat
bench-heartbeat: $(STAMPS)/venv-test $(STAMPS)/engine  ## The longest gap of a timer in QGIS while a fusion runs (minutes)
	$(VENV_TEST)/bin/python benchmarks heartbeat $(BENCH)

.PHONY: check
check: $(STAMPS)/venv-check  ## Lint, check types, scan for what the plugin repository blocks
	$(VENV_CHECK)/bin/ruff check .
	$(VENV_CHECK)/bin/ruff format --check .
	@# Types are checked under the plugin's name, whatever this folder is called.
	@mkdir -p $(BUILD)/check && ln -sfn "$(CURDIR)" $(BUILD)/check/rasd_fusion
	MYPYPATH=$(BUILD)/check $(VENV_CHECK)/bin/mypy --cache-dir $(BUILD)/mypy \
	    -p rasd_fusion.processing -p rasd_fusion.rasd_qgis -p rasd_fusion.models -p rasd_fusion.benchmarks
	$(VENV_CHECK)/bin/bandit --quiet --configfile pyproject.toml --recursive __init__.py processing rasd_qgis models benchmarks tools
	git ls-files -z | xargs -0 $(VENV_CHECK)/bin/detect-secrets-hook

.PHONY: link
link:  ## Link this checkout into your own QGIS profile (PROFILE=default)
	@target="$(PROFILES)/$(or $(PROFILE),default)/python/plugins/rasd_fusion"; \
	if [ -e "$$target" ] && [ ! -L "$$target" ]; then \
	  echo "$$target is an installed plugin, not a link: remove it first."; exit 1; fi; \
	mkdir -p "$$(dirname "$$target")" && ln -sfn "$(CURDIR)" "$$target" && \
	echo "Linked as $$target. Enable RASD Fusion in QGIS: Plugins > Manage and Install Plugins."

.PHONY: engine-cluster
engine-cluster: $(STAMPS)/engine  ## Add what a Dask cluster takes to the engine (DASK_SCHEDULER; 15 MB)
	$(ENGINE)/$(PIP) --requirement rasd_qgis/engine/requirements-cluster.txt

.PHONY: docs
docs:  ## Bring the guide's chapter of algorithms, its figures and the translations up to date
	python3 tools/guide.py
	python3 tools/translate.py

.PHONY: package
package:  ## Make dist/rasd_fusion-<version>.zip
	python3 tools/package.py

.PHONY: screenshot
screenshot: $(STAMPS)/engine  ## Take the README's picture of a QGIS desktop (after make demo)
	tools/desktop --script tools/screenshot_startup.py --picture resources/screenshots/desktop.png --seconds 600

.PHONY: walk
walk: package | $(STAMPS)/apt  ## Walk a new user's way in a QGIS desktop, a picture a step (five minutes)
	tools/walk dist/rasd_fusion-$$(sed -n 's/^version=//p' metadata.txt).zip

.PHONY: clean
clean:  ## Remove build/ and dist/ (the engine stays; RASD_FUSION_ENGINE or your data folder holds it)
	rm -rf $(BUILD) dist

$(STAMPS):
	@mkdir -p $@

$(STAMPS)/apt: | $(STAMPS)
	@if ! command -v apt-get >/dev/null; then \
	  echo "Not Debian: install QGIS 3.22 or later, python3-venv, Xvfb and ImageMagick yourself."; \
	elif [ "$$(dpkg-query --show --showformat='$${db:Status-Status}\n' $(PACKAGES) 2>/dev/null | grep -cx installed)" = $(words $(PACKAGES)) ]; then \
	  echo "QGIS and its companions are installed."; \
	else \
	  echo "Installing $(PACKAGES) (about a minute, 1.2 GB)"; \
	  $(SUDO) apt-get update -qq && \
	  $(SUDO) env DEBIAN_FRONTEND=noninteractive apt-get install --yes -qq --no-install-recommends $(PACKAGES) >$(BUILD)/apt.log; \
	fi
	@touch $@

$(STAMPS)/venv-test: tests/requirements-qgis.txt | $(STAMPS)/apt
	@echo "Making $(VENV_TEST) over QGIS's Python (the tests inside QGIS)"
	@rm -rf $(VENV_TEST) && $(QGIS_PYTHON) -m venv --system-site-packages $(VENV_TEST)
	@$(VENV_TEST)/$(PIP) --requirement $<
	@touch $@

$(STAMPS)/venv-engine-test: tests/requirements-engine.txt rasd_qgis/engine/requirements.txt rasd_qgis/engine/requirements-cluster.txt | $(STAMPS)/apt
	@echo "Making $(VENV_ENGINE_TEST) (the tests of the engine, the demo, the benchmarks; 1.5 GB)"
	@rm -rf $(VENV_ENGINE_TEST) && $(QGIS_PYTHON) -m venv $(VENV_ENGINE_TEST)
	@$(VENV_ENGINE_TEST)/$(PIP) $(TORCH_INDEX) --requirement $<
	@# Its Python half alone, as the oracle of the scan's tests: its dependencies and kernels want CUDA.
	@MAMBA_FORCE_BUILD=TRUE MAMBA_SKIP_CUDA_BUILD=TRUE $(VENV_ENGINE_TEST)/$(PIP) \
	    --no-deps --no-build-isolation mamba-ssm==$(MAMBA_SSM) >$(BUILD)/mamba-ssm.log 2>&1 \
	  || echo "mamba-ssm is not to be had (see $(BUILD)/mamba-ssm.log): its test will skip."
	@touch $@

# Where there is no wheel of it, fuzzing goes on without the fuzzer by coverage.
$(STAMPS)/fuzz: tests/requirements-fuzz.txt $(STAMPS)/venv-engine-test
	@$(VENV_ENGINE_TEST)/$(PIP) --requirement $< || echo "atheris is not to be had: fuzzing goes on without."
	@touch $@

$(STAMPS)/venv-check: tests/requirements-check.txt | $(STAMPS)/apt
	@echo "Making $(VENV_CHECK) (ruff, mypy, bandit, detect-secrets)"
	@rm -rf $(VENV_CHECK) && $(QGIS_PYTHON) -m venv $(VENV_CHECK)
	@$(VENV_CHECK)/$(PIP) --requirement $<
	@touch $@

# The product's own set-up, so that the developer's engine is made as the analyst's.
$(STAMPS)/engine: rasd_qgis/engine/requirements.txt | $(STAMPS)/apt
	@echo "Setting up the engine by rasd:setupengine (1.1 GB)"
	tools/qgis_process run rasd:setupengine
	@touch $@
