# Every target works on a fresh clone: it makes .venv from the hash-checked lock when there is none or the lock changed.
# On Windows use the plain commands in README.md.
PYTHON ?= python3
PORT ?= 8000
IMAGE ?= mlops_boston
BASE ?= origin/main
BRANCH ?= main
BY ?= push
LOCK := requirements/dev.txt

# DVC runs `python` of the PATH, and does not put its own environment there.
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export PYTHONUTF8 := 1

.DEFAULT_GOAL := help
.PHONY: help model venv repro serve gate promote rollback fetch retrain deliver report drift sweep test test-slow bench check format lock image publish

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-10s %s\n", $$1, $$2}' Makefile

# Compiled on all cores, which pip does on one; and here, for where Python may not write bytecode (many containers),
# each start of a stage would compile all that it imports: 6 s in place of 2.5. Files of other Pythons do not compile.
# Compared by content: a clone that shares its .venv with another, or whose files have new dates, keeps it.
venv: ## make .venv from the lock, if it is not that already
	@cmp -s $(LOCK) .venv/requirements.txt || { \
	  echo "installing $(LOCK) into .venv"; \
	  rm -f .venv/requirements.txt; \
	  $(PYTHON) -m venv --clear .venv && \
	  .venv/bin/pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $(LOCK) && \
	  { .venv/bin/python -m compileall -qq -j 0 .venv || true; } && \
	  cp $(LOCK) .venv/requirements.txt; }

repro: venv ## run the pipeline (only what changed) and print the metrics
	@python -m stages.mend
	dvc repro
	@$(CHECKOUT)
	@for file in select evaluate drift; do echo "metrics/$$file.json"; cat metrics/$$file.json; done

serve: venv ## serve on 127.0.0.1:8000 (PORT=): the champion, else the workspace's model
	@test -f models/champion.onnx || { $(CHECKOUT); }
	@test -f models/champion.onnx || { $(MAKE) --no-print-directory model && $(CHECKOUT); }
	python -m api --port $(PORT)

gate: venv model ## may the new model replace the champion? exit 0 promote, 3 keep, 4 inconclusive, 1 error
	@python -m stages.gate

promote: venv ## make the model that the gate promoted the champion (FORCE=1 without a verdict)
	python -m stages.registry promote $(if $(FORCE),--force)

rollback: venv ## make the version before the champion again (TO=v1.0.0 for another)
	python -m stages.registry rollback $(if $(TO),--to $(TO))

fetch: venv ## bring the champion of a version or revision (REV=v1.0.0) to models/fetched.onnx
	python -m stages.registry fetch --rev '$(or $(REV),$(error make fetch REV=v1.0.0, prod, or a Git revision))'

drift: venv ## do the rows in data/live still look like the training rows?
	dvc repro drift
	@test -z "$$GITHUB_OUTPUT" || python -c "import json; print('drift=' + \
	  str(json.load(open('metrics/drift.json'))['drift_detected']).lower())" >> "$$GITHUB_OUTPUT"

retrain: venv ## on drift (or FORCE=1): repro, gate, promote or keep
	python -m stages.retrain $(if $(FORCE),--force)

# A proposal goes without its tags: what is not merged is not in production. `make promote` on the merged branch adds them.
deliver: ## push what retrain promoted to BRANCH=, or BY=pull-request propose it
	@set -e; if [ "$$(git rev-parse HEAD)" = "$$(git rev-parse origin/$(BRANCH))" ]; then \
	  echo "deliver: nothing was promoted"; exit 0; fi; \
	test -z "$$GITHUB_ACTIONS" || gh auth setup-git; \
	case '$(BY)' in \
	  push) git push --atomic --follow-tags origin HEAD:refs/heads/$(BRANCH);; \
	  pull-request) proposal=retrain-$$(git rev-parse --short HEAD); \
	    git push origin HEAD:refs/heads/$$proposal; \
	    gh pr create --fill --base $(BRANCH) --head $$proposal;; \
	  *) echo "error: BY is '$(BY)', expected push or pull-request (in CI: variable RETRAIN_BY)" >&2; exit 1;; \
	esac

report: repro ## what this branch changes against BASE=, as Markdown and plots in report/
	@python -m stages.pull_request --base $(BASE)
	@test -z "$$GITHUB_STEP_SUMMARY" || cat report/summary.md >> "$$GITHUB_STEP_SUMMARY"

sweep: venv ## run a small grid as experiments and name the best by cross-validation
	@python -m stages.mend
	dvc repro
	@python -m stages.sweep

test: venv ## the test suite
	python -m pytest -q -n auto -m "not slow"

test-slow: venv ## the slow tests: whole pipelines, kills
	python -m pytest -q -n auto -m slow

bench: venv ## every benchmark as one table, with ratios against peers measured beside them
	@python -m bench

check: venv ## lint, format, types, workflow and Dockerfile
	ruff check .
	ruff format --check .
	mypy
	check-jsonschema --builtin-schema vendor.github-workflows .github/workflows/*.yml
	zizmor --offline --quiet .github/workflows
	hadolint Dockerfile

format: venv ## rewrite the code in the project's format
	ruff check --fix-only .
	ruff format .

lock: venv ## write requirements/*.txt anew from pyproject.toml
	@for group in dev pipeline serve; do \
	  uv pip compile pyproject.toml --group $$group --quiet --universal --python-version 3.11 --fork-strategy fewest \
	    --generate-hashes --no-annotate --no-header -c requirements/dev.txt -o requirements/$$group.txt || exit 1; \
	done

image: venv ## build the container image of the champion
	@test -f models/champion.onnx || { $(CHECKOUT); }
	@test -f models/champion.onnx || { $(MAKE) --no-print-directory model && $(CHECKOUT); }
	docker build --build-arg GIT_REVISION=$$(git rev-parse HEAD) -t mlops_boston .

publish: ## push the image (IMAGE=, REGISTRY_USER=, REGISTRY_TOKEN=)
	@printf '%s' "$$REGISTRY_TOKEN" | docker login $(firstword $(subst /, ,$(IMAGE))) -u "$$REGISTRY_USER" --password-stdin
	@set -e; for tag in $(VERSION) latest; do \
	  docker tag mlops_boston $(NAME):$$tag; \
	  docker push $(NAME):$$tag; \
	done

# A registry takes lower case alone, and GitHub's owners need not be.
NAME = $(shell printf '%s' '$(IMAGE)' | tr '[:upper:]' '[:lower:]')
VERSION = $(shell sed -n 's/^  version: //p' models/champion.onnx.dvc)

# Only where there is none yet: a model that is there is judged and served as it is.
model: venv
	@test -f models/model.onnx || dvc repro

# The champion's file is not in Git. A pipeline with the same result has put the same bytes into DVC's cache.
CHECKOUT = dvc checkout --quiet models/champion.onnx.dvc 2>/dev/null || true
