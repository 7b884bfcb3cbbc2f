"""What was read: knows the host and nothing else of ours."""
