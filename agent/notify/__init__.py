"""Tells programs elsewhere of new findings, by webhooks."""
