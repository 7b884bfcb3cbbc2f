"""One file per deployment manager: how an environment variable, a mask or a limit is set where the service runs."""
