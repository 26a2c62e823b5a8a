# The names that hands type; what they do is in xtask.
.PHONY: papers test
papers:
	cargo xtask papers
test:
	cargo xtask test
