"""What was at a stored moment, worked out again from the ticks before it, in a process of its own."""
