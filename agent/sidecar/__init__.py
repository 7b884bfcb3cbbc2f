"""The privileged sidecar: the only process that looks inside others, and the agent's end of talking to it."""
