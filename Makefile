# Gestor. `make help` lists what there is; every target is a script that works by hand too.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help up govern down approve logs ps test test-unit test-bash e2e soak verify-v1 test-engines bench lint fmt vuln images base-images \
	insmod rmmod dkms dkms-remove module module-test doctor ensure clean dev hooks

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

## Running

up: ## install what is missing, build, start, and print the page's address
	@scripts/up.sh
govern: ## the same for the containers that are on this host already: without the generator, under policy/host.yaml
	@scripts/govern.sh
down: ## stop in order; records and charts stay in ./data
	@scripts/down.sh
logs: ## follow what the services say
	@docker compose logs --follow --tail 50 logs manager generator
ps: ## the services and the containers they govern
	@docker compose ps
	@docker ps --filter label=gestor.managed=true --format 'table {{.Names}}\t{{.Label "gestor.class"}}\t{{.Image}}\t{{.Status}}'
approve: ## show what the policy would do to other people's containers, ask, and write policy/approved.json
	@scripts/approve.sh
dev: ## SERVICE=manager, generator or logs of the running suite from source, restarted on each change, until Ctrl-C
	@scripts/dev.sh $(SERVICE)
doctor: ## tell what is on this host and what is missing
	@scripts/ensure.sh doctor

## Checking

test: ## all but the linters and the kernels booted in qemu; ends with what was skipped and left out
	@scripts/test.sh
test-unit: ## the Go tests alone, with the race detector, without the end-to-end ones
	@scripts/test.sh unit
test-bash: ## shellcheck and the tests of the scripts
	@scripts/test.sh bash
e2e: ## the suite on the real engine
	@scripts/test.sh images e2e
soak: ## the long tests (GESTOR_SOAK=1): hours of ticks, kill loops, fuzzing
	@scripts/soak.sh
verify-v1: ## a million histories of version 1 policies, by the rules and by the code before them
	@scripts/verify-v1.sh
test-engines: ## what Gestor asks of an engine, tried on several: docs/engines.md (root; builds one)
	@scripts/test-engines.sh
bench: ## benchmarks of every module, five runs each, summed up
	@scripts/bench.sh
lint: ## linters, format, import rules, known vulnerabilities
	@scripts/lint.sh
fmt: ## format the Go code
	@scripts/lint.sh --fix
hooks: ## check what is staged before each commit (.githooks/pre-commit)
	@git config core.hooksPath .githooks
vuln: ## known vulnerabilities in what is linked
	@scripts/vuln.sh

## Building

images: ## build every image
	@scripts/images.sh
base-images: ## pull the base images, or make them here where no registry answers
	@scripts/base-images.sh

## Kernel module: its file may be read by root and by the manager's group

module: ## build the kernel module for the running kernel
	@$(MAKE) -C kernel-module
insmod: ## build and load the kernel module until the next boot; PARAMETERS="cmdline_max=256 …" are handed on
	@scripts/insmod.sh $(PARAMETERS)
rmmod: ## unload the kernel module
	@scripts/rmmod.sh
dkms: ## install the kernel module for good: loaded at boot, rebuilt for new kernels; PARAMETERS as for insmod
	@scripts/dkms.sh $(PARAMETERS)
dkms-remove: ## take that away again
	@scripts/dkms.sh --remove
module-test: ## test the kernel module: quick checks, then boots of real kernels in qemu
	@scripts/module-test.sh

clean: ## remove what was built here; ./data stays
	@scripts/clean.sh
