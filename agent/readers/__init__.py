"""Collectors that run in processes of their own: what may hang in a driver hangs them, and not the agent."""
