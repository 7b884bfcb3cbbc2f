"""Asks a Prometheus-compatible server about many nodes, and prints what `advisor.fleet` makes of the answers."""
