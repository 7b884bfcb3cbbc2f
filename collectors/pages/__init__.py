"""A server's metrics page: asked for, parsed, and turned into the normalised sample."""
