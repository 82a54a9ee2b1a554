# Each verb is a script of the same name under script/.

# What there is.
help:
    @script/help

# Lint, format, types, import contracts, generated pages.
check:
    @script/check

# Every test; arguments go to pytest.
test *args:
    @script/test {{ args }}

# Mend what a program can mend.
fix:
    @script/fix

# Write docs/reference anew.
docs:
    @script/docs

# A node from the working tree.
run *args:
    @script/run {{ args }}

# The end-to-end tests.
e2e *args:
    @script/e2e {{ args }}

# Measure and print numbers.
bench *args:
    @script/bench {{ args }}
