"""Where in which library do threads run, Python's or not? The kernel's perf events, read without stopping anybody."""
