"""GPUs and other accelerators: what every reader of them says, and how each kind is read."""
