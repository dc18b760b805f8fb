# Each target sets up what it needs. `make deliver` and `make test` are the two to know.
PYTHON ?= python3
WORKERS ?= 3
SLIPWAY = .venv/bin/slipway

.PHONY: deliver test lint check faults env bench gpu-image jenkins clean

deliver: env  ## from data to production on this machine
	@$(SLIPWAY) run --yes

# In the order of the folders: the long ones, which are few, before the short ones.
test: env  ## every test, a whole delivery among them
	@.venv/bin/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder tests

lint: env  ## style and types
	@.venv/bin/ruff check ci ml tests bench
	@.venv/bin/ruff format --check ci ml tests bench
	@.venv/bin/mypy

check: lint  ## style, types, unit tests
	@.venv/bin/python -m pytest -q tests/unit

faults: env  ## every planted fault, and what stops it; writes docs/reference/faults.md (FAMILY=…: one family)
	@.venv/bin/python -m tests.faults $(if $(FAMILY),"$(FAMILY)",--page docs/reference/faults.md) --out .slipway/faults

bench: env  ## the figures in bench/README.md, measured again
	@.venv/bin/python -m bench

gpu-image: env  ## both GPU images, built and put before the gate (3 GB of downloads, 25 GB of disk)
	@.venv/bin/python -m bench.gpu_image $(if $(KEEP),--keep) $(if $(DEVICE),--device)

jenkins:  ## a Jenkins of one's own in Docker, with agents, registry and the job (GPU=yes: a GPU agent too)
	@docker/jenkins/bring-up.sh $(if $(GPU),--gpu) $(if $(CPU_2),--cpu-2)

env:  ## the Python environment of this checkout
	@$(PYTHON) -m ci env

clean:  ## what can be made again
	rm -rf .venv .slipway delivery prepared models evaluation verdicts
