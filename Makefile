# The usual targets, for those who try make first; npm does the work.
PREFIX ?= /usr/local

.PHONY: build install test conformance verify bench

build:
	npm run build --silent

install:
	npm run build --silent -- --install '$(PREFIX)'

test:
	npm test --silent

conformance: build
	node apps/jvs/dist/main.js conformance run

verify:
	npm run check --silent

bench:
	npm run bench
