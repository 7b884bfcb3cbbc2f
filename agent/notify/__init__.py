"""Tells programs elsewhere of new findings, by webhooks and as Events of Kubernetes."""
