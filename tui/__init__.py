"""Look at it: the terminal interface. It speaks HTTP or reads a recording, and never imports the agent."""
