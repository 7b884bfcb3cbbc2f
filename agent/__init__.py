"""Keep it running: schedule, store, HTTP, configuration, command line, supervision of the sidecars."""
