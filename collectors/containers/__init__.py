"""In which container and pod a process runs, and what they are called."""
