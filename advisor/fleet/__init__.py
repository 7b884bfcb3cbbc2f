"""What do many nodes say together? Pure: figures of a Prometheus-compatible server in, items out."""
