# The commands that are not the build itself.

.PHONY: format clean
format:
	clang-format -i $(shell find src -name '*.[ch]')

clean:
	rm -rf build
