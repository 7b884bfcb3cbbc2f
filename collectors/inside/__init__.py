"""What the inside of one process says: everything below /proc/PID that its owner or a tracer alone may read."""

from collectors.inside.facts import read_facts

__all__ = ["read_facts"]
