# Every environment lies in the checkout; `make clean` removes them all.
PYTHON ?= python3.11
# Python compiles what it imports, the first time; pip would compile everything, most of which is never imported. So
# Python must be allowed to keep what it has compiled.
unexport PYTHONDONTWRITEBYTECODE
PIP_INSTALL = bin/python -m pip install --quiet --disable-pip-version-check --no-compile
MINI = checkpoints/mini
CODE := $(shell find biogpt_onnx export quantize runtime -name '*.py')

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo test test-long lint format docs test-wheel test-optimum test-oldest test-browser test-clients test-ray test-arm64 test-arm64-core test-arm64-short test-offline test-edge wheelhouse locks coverage mutation bench bench-peers bench-server-peers clean

help:
	@echo "make demo          export and quantize the embedded checkpoint, generate, find relations, answer a question"
	@echo "make test          the tests"
	@echo "make test-long     those that take the longest and that few changes can break"
	@echo "make lint          ruff, mypy, the import rules"
	@echo "make format        let ruff format the code"
	@echo "make docs          the documentation site, into build/site"
	@echo "make test-wheel    what can break by packaging, on the built wheel, without torch and transformers"
	@echo "make test-optimum  what depends on transformers, with version 4.57, and the export through optimum"
	@echo "make test-oldest   the tests with the oldest ONNX Runtime that the package allows"
	@echo "make test-browser  the server's page, and that without a server, in a headless Chromium, which must be installed"
	@echo "make test-clients  the server as OpenAI's client, lm-eval, llm and schemathesis find it"
	@echo "make test-ray      corpus runs and replicas of the server on Ray clusters, whose workers and nodes are killed"
	@echo "make wheelhouse    a folder that installs the package where there is no network, into build/wheelhouse"
	@echo "make test-offline  the wheelhouse, installed and tried where there is no network"
	@echo "make test-edge     the small appliance, from the wheelhouse, in a bare Debian in a folder"
	@echo "make locks         the lock files of the wheelhouse anew, with the newest versions"
	@echo "make test-arm64    the tests of what computes on emulated ARM64 processors (hours)"
	@echo "make test-arm64-core  the same bundles and answers there as here (half an hour)"
	@echo "make test-arm64-short  the same with float32 and int8 alone (minutes)"
	@echo "make coverage      how much of the statements and branches of each room its tests run"
	@echo "make mutation      how many of a sample of changes in decoding, tokenizer and files the tests notice"
	@echo "make bench         ours beside other libraries: environments, models, measurements, report (two hours)"
	@echo "make bench-peers   the environments of the libraries that benchmarks compare with"
	@echo "make bench-server-peers  the environments of the servers that ours is compared with"
	@echo "make clean         remove environments and build outputs"

# The commands are shown, to be tried again with other texts. The model is small: rules keep it from repeating itself.
demo: export PATH := $(CURDIR)/.venv-demo/bin:$(PATH)
demo: .venv-demo/installed
	biogpt-onnx export $(MINI) -o bundles/mini --overwrite
	biogpt-onnx quantize bundles/mini -o bundles/mini-int8 --recipe int8 --no-evaluation --overwrite
	biogpt-onnx generate bundles/mini-int8 --repetition-penalty 1.3 --no-repeat-ngram-size 3 --max-new-tokens 40 \
		--timings "The patient was treated with" "Cisplatin-induced nephrotoxicity" "The aim of this study was to"
	echo "Five patients who took amiodarone developed hypothyroidism. Thyroid function recovered after" \
		"amiodarone was withdrawn." \
		| biogpt-onnx relations bundles/mini-int8 --task bc5cdr --draw
	echo "Forty patients with hypertension exercised for twelve weeks. Systolic pressure fell by 8 mm Hg." \
		| biogpt-onnx ask bundles/mini-int8 --question "Does exercise lower blood pressure?" --draw

# A process for each core. Those that are done take tests from the others, whose neighbours stay where they are.
PYTEST = bin/python -m pytest --numprocesses auto --dist worksteal

test: .venv/installed
	.venv/$(PYTEST) -m "not long"

# What takes the longest and few changes can break: the benchmarks' programs from end to end, emulated old processors,
# Slurm, and a model of full size beside transformers.
test-long: .venv/installed
	.venv/$(PYTEST) -m long

lint: .venv/installed
	.venv/bin/ruff check
	.venv/bin/ruff format --check
	.venv/bin/mypy
	MYPYPATH=tests .venv/bin/mypy --explicit-package-bases tests
	.venv/bin/mypy -p benchmarks
	.venv/bin/mypy -p deploy.offline
	MYPYPATH=examples .venv/bin/mypy examples/*.py
	MYPYPATH=checkpoints/mini .venv/bin/mypy checkpoints/mini/*.py
	.venv/bin/lint-imports

format: .venv/installed
	.venv/bin/ruff check --fix
	.venv/bin/ruff format

# Warnings are errors. Objections to docstrings are only logged, so the log is looked through.
docs: .venv-docs/installed
	rm -rf build/site
	mkdir -p build
	.venv-docs/bin/zensical build --clean --strict 2>build/docs.log || { cat build/docs.log; exit 1; }
	@! grep -E '^(griffe|mkdocstrings): ' build/docs.log
	.venv-docs/bin/python tests/check_site.py build/site

# What a wheel can lack: packages, data files, programs, and what the code takes for installed. All modules are imported,
# all data files looked for; every command runs, and the library, exports without torch, and a server's answers.
# Left out is what `make test` has shown of the same code, and what cannot depend on how it was installed: bad input and
# what surrounds a command, runs that go on, numbers to the last bit, graphs, recipes, readers, scores, tasks, searches,
# tokens, processes that are killed.
WHEEL_TESTS = tests/test_*.py tests/cli/test_c*.py tests/cli/test_evaluate.py tests/cli/test_head_commands.py \
	tests/cli/test_n*.py tests/cli/test_own_task.py tests/cli/test_quantize.py tests/cli/test_serve.py \
	tests/export/test_api.py tests/export/test_exporter.py tests/export/checkpoint \
	tests/server/completions tests/server/endpoints/test_*.py tests/server/endpoints/tasks/test_records.py \
	tests/server/page \
	tests/bench/test_bench_command.py tests/corpus/test_commands.py tests/corpus/test_status_and_merge.py \
	tests/quantize/data tests/quantize/test_api.py tests/tasks/definitions \
	tests/runtime/test_asynchronous.py tests/runtime/test_classifiers.py tests/runtime/test_engine.py \
	tests/runtime/test_loading.py tests/runtime/test_results.py tests/runtime/test_streams.py

# The wheel is built from the source distribution, so that both are tried; the tests run where no source can be seen.
test-wheel: .venv/installed
	rm -rf dist build/wheel .venv-wheel
	.venv/bin/python -m build --outdir dist . >/dev/null
	$(PYTHON) -m venv .venv-wheel
	.venv-wheel/$(PIP_INSTALL) "pip>=25.1"
	.venv-wheel/$(PIP_INSTALL) "$$(echo dist/*.whl)[cpu,export-safetensors,server]" --group test
	mkdir -p build/wheel/checkpoints
	cp -r tests examples pyproject.toml build/wheel/
	cp -r $(MINI) build/wheel/checkpoints/
	cd build/wheel && ../../.venv-wheel/$(PYTEST) $(WHEEL_TESTS)

# What depends on the version of transformers, and optimum: every test that imports it, or what imports it, and the one
# that looks for connections of the only command that loads transformers. The rest runs with the newest version
# alone, and so does the model of full size, beside which the small ones differ in nothing that a version could.
TRANSFORMERS_TESTS = "tests/cli/test_network.py::test_a_command_opens_no_socket[verify]" $(shell \
	grep -rlE --include='test_*.py' \
	'^ *(import|from) (transformers|biogpt_onnx.export.(reference|optimum|.*parity))|importorskip."transformers"' \
	tests/cli tests/export tests/runtime tests/test_*.py)

test-optimum: .venv-optimum/installed
	.venv-optimum/$(PYTEST) -m "not long" $(TRANSFORMERS_TESTS)

# What depends on ONNX Runtime, with the newest release of the oldest version that pyproject.toml allows.
OLDEST := $(shell sed -n 's/^cpu = \["onnxruntime>=\([0-9.]*\)"\]$$/\1/p' pyproject.toml)

test-oldest: .venv-oldest/installed
	.venv-oldest/$(PYTEST) tests/bench tests/cli tests/export tests/quantize tests/runtime tests/tasks

# The tests skip where there is no Chromium, or no Node. Playwright would bring one of its own, which is not asked for.
# The tokenizer's tests under Node, which need neither a browser nor npm's packages, are `make test`'s.
test-browser: .venv-browser/installed build/npm/installed
	.venv-browser/$(PYTEST) tests/server/browser tests/web

# Clients that others wrote, which call a server; none of them looks anything up elsewhere.
test-clients: export HF_HUB_OFFLINE = 1
test-clients: export HF_DATASETS_OFFLINE = 1
test-clients: .venv-clients/installed
	.venv-clients/$(PYTEST) tests/server/clients

# Two tests at a time: each starts a cluster of this machine.
test-ray: .venv-ray/installed
	.venv-ray/bin/python -m pytest --numprocesses 2 tests/corpus/ray
	.venv-ray/bin/python -m pytest tests/deploy/ray_serve

# On emulated ARM64 processors, a Raspberry Pi 4's and 5's. The emulator and Debian's packages are fetched by apt, Python's
# by pip, into build/arm64; where they cannot be had, it says so and passes. ARM64="tests/runtime" runs a part.
test-arm64: .venv/installed
	PYTHONPATH=tests:. .venv/bin/python -m makers.arm64 $(ARM64)

test-arm64-core: export BIOGPT_ARM64 = all
test-arm64-short: export BIOGPT_ARM64 = short
test-arm64-core test-arm64-short: .venv/installed
	.venv/bin/python -m pytest tests/arm64

# What a machine without a network installs from: docs/offline.md. MACHINE=aarch64 gathers for another processor, and
# BUNDLE=FOLDER puts another bundle into it.
LOCKED_EXTRAS = cpu export-safetensors files server
MACHINE = $(shell uname -m)
BUNDLE = bundles/mini-int8
PYTHONS = 3.11 3.12 3.13
WHEELHOUSE = build/wheelhouse

# The wheel is built from the source distribution, since a build in place would take in files that are gone. The dates
# inside are those of the commit, where there is one, so that the same source gives the same wheel.
wheelhouse: export SOURCE_DATE_EPOCH := $(or $(shell git log -1 --format=%ct 2>/dev/null),1700000000)
wheelhouse: .venv/installed build/site/index.html $(BUNDLE)/bundle.json
	rm -rf build/wheel-offline
	.venv/bin/python -m build --outdir build/wheel-offline . >/dev/null
	.venv/bin/python -m deploy.offline.gather --wheel build/wheel-offline/*.whl --site build/site --bundle $(BUNDLE) \
		--machine $(MACHINE) --pythons $(PYTHONS) --output $(WHEELHOUSE)
	tar --create --file $(WHEELHOUSE).tar --directory $(dir $(WHEELHOUSE)) --sort=name --mtime=@$$SOURCE_DATE_EPOCH \
		--owner=0 --group=0 --numeric-owner $(notdir $(WHEELHOUSE))

# Made where there is none yet; `make docs` and `make demo` make them anew.
build/site/index.html:
	$(MAKE) docs

bundles/mini-%/bundle.json: .venv-demo/installed
	.venv-demo/bin/biogpt-onnx export $(MINI) -o bundles/mini --overwrite
	.venv-demo/bin/biogpt-onnx quantize bundles/mini -o bundles/mini-$* --recipe $* --no-evaluation --overwrite

test-offline: wheelhouse
	BIOGPT_WHEELHOUSE=$(WHEELHOUSE) .venv/$(PYTEST) -m offline tests/deploy/offline

# A small machine: a bare Debian in a folder, with its own Python. It takes root, and debootstrap; the tests skip without.
test-edge: .cache/debian
	$(MAKE) wheelhouse BUNDLE=bundles/mini-int4 PYTHONS=3.11 WHEELHOUSE=build/edge/wheelhouse
	BIOGPT_WHEELHOUSE=build/edge/wheelhouse BIOGPT_DEBIAN=.cache/debian .venv/$(PYTEST) tests/deploy/test_edge.py

.cache/debian:
	rm -rf .cache/debian.part
	mkdir -p .cache
	! command -v debootstrap >/dev/null || { debootstrap --variant=minbase --include=python3-venv,curl bookworm \
		$(CURDIR)/.cache/debian.part >/dev/null && mv .cache/debian.part .cache/debian; }

# All extras are resolved together first, so that those of one environment agree on versions.
UV_COMPILE = .venv/bin/uv pip compile pyproject.toml --quiet --no-config --universal --python-version 3.11 --upgrade
locks: .venv/installed
	mkdir -p build
	$(UV_COMPILE) $(LOCKED_EXTRAS:%=--extra %) --output-file build/locked.txt
	for extra in $(LOCKED_EXTRAS); do \
		$(UV_COMPILE) --generate-hashes --no-annotate --custom-compile-command "make locks" --extra $$extra \
			--constraint build/locked.txt --output-file deploy/offline/locks/$$extra.txt || exit 1; done

# Each room by its own tests, with data and reports of its own, so that what is missing is missing there, and no other
# room's tests make up for it. ROOMS="files server" measures these.
ROOMS = runtime quantize export tasks files server
COVERAGE = $(CURDIR)/.venv-coverage/bin/python -m coverage

coverage: .venv-coverage/installed
	rm -rf build/coverage
	for room in $(ROOMS); do \
		folder="$(CURDIR)/build/coverage/$$room"; \
		mkdir -p "$$folder"; \
		export COVERAGE_FILE="$$folder/data"; \
		files="$$room/*,biogpt_onnx/$$room/*"; \
		$(COVERAGE) run -m pytest --numprocesses auto --dist worksteal tests/$$room && \
		$(COVERAGE) combine --quiet && \
		$(COVERAGE) json --quiet --include="$$files" -o "$$folder/report.json" && \
		$(COVERAGE) html --quiet --include="$$files" --directory "$$folder/html" || exit 1; \
	done
	.venv-coverage/bin/python tests/check_coverage.py $(ROOMS:%=build/coverage/%/report.json)

# MUTATION="--room files --mutants 30" passes other options.
mutation: .venv-coverage/installed
	mkdir -p build
	.venv-coverage/bin/python -m benchmarks.mutation --output build/mutation.json $(MUTATION)

# Interrupted, it goes on where it was. BENCH="--data FOLDER --restart" passes more options.
BENCH_RESULTS = benchmarks/results
bench: .venv/installed bench-peers
	.venv/bin/python -m benchmarks.compare --output $(BENCH_RESULTS)/compare.jsonl \
		--report $(BENCH_RESULTS)/compare.md --plots $(BENCH_RESULTS)/plots $(BENCH)

# Each peer in an environment of its own, .venv-peers/PACKAGE; what cannot be installed says so there.
bench-peers:
	$(PYTHON) -m benchmarks.compare.peers.environments

# The same for benchmarks.server, which shares some of them; llama.cpp's server is compiled.
bench-server-peers:
	$(PYTHON) -m benchmarks.server.peers.environments

clean:
	rm -rf .venv .venv-* .cache build dist bundles *.egg-info

# Not installed in place, so it must be installed again when the code has changed.
.venv-demo/installed: pyproject.toml $(CODE)
	$(PYTHON) -m venv .venv-demo
	rm -rf build/lib build/bdist.*
	.venv-demo/$(PIP_INSTALL) ".[cpu,export-safetensors]"
	@touch $@

.venv/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv
	.venv/$(PIP_INSTALL) "pip>=25.1"
	.venv/$(PIP_INSTALL) -c constraints.txt -e ".[cpu,export,server]" --group dev
	@touch $@

.venv-browser/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-browser
	.venv-browser/$(PIP_INSTALL) "pip>=25.1"
	.venv-browser/$(PIP_INSTALL) -c constraints.txt -e ".[cpu,export-safetensors,server]" --group browser
	@touch $@

# npm compares each package with the hash in the lock file. Without npm, what needs the packages skips.
build/npm/installed: tests/web/npm/package.json tests/web/npm/package-lock.json
	mkdir -p build/npm
	cp tests/web/npm/*.json build/npm/
	! command -v npm >/dev/null || npm ci --prefix build/npm --ignore-scripts --no-audit --no-fund --loglevel=error
	@touch $@

.venv-clients/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-clients
	.venv-clients/$(PIP_INSTALL) "pip>=25.1"
	.venv-clients/$(PIP_INSTALL) -c constraints.txt -e ".[cpu,export-safetensors,server]" --group test --group clients
	@touch $@

.venv-ray/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-ray
	.venv-ray/$(PIP_INSTALL) "pip>=25.1"
	.venv-ray/$(PIP_INSTALL) -c constraints.txt -e ".[cluster,cpu,export-safetensors,server]" --group test --group ray-tests
	@touch $@

.venv-coverage/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-coverage
	.venv-coverage/$(PIP_INSTALL) "pip>=25.1"
	.venv-coverage/$(PIP_INSTALL) -c constraints.txt -e ".[cpu,export,server]" \
		--group test --group tables --group parity --group coverage --group mutation
	@touch $@

.venv-docs/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-docs
	.venv-docs/$(PIP_INSTALL) "pip>=25.1"
	.venv-docs/$(PIP_INSTALL) -c constraints.txt --group docs
	@touch $@

.venv-oldest/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-oldest
	.venv-oldest/$(PIP_INSTALL) "pip>=25.1"
	.venv-oldest/$(PIP_INSTALL) -c constraints.txt -e ".[cpu,export,server]" --group test --group parity \
		"onnxruntime==$(OLDEST).*"
	@touch $@

.venv-optimum/installed: pyproject.toml constraints.txt
	$(PYTHON) -m venv .venv-optimum
	.venv-optimum/$(PIP_INSTALL) "pip>=25.1"
	.venv-optimum/$(PIP_INSTALL) -c constraints.txt -e ".[cpu,export,optimum,server]" --group test
	@touch $@
