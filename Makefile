# The front door; the work is done by meson and by the scripts, which run by
# themselves as well. Each target installs what it needs and says so.
PREFIX ?= /usr/local
DESTDIR ?=
export PREFIX DESTDIR

all:
	scripts/build

demo:
	scripts/demo

test:
	scripts/test

bench:
	scripts/bench

install:
	scripts/build
	meson install -C build --no-rebuild --quiet

format:
	scripts/format

lint:
	scripts/lint

clean:
	rm -rf build build-*

.PHONY: all demo test bench install format lint clean
