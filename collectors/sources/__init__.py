"""One file per source of samples; the file's name is the collector's name."""
