"""What it means: pure. Samples and facts in, findings out; no I/O, no clock."""
