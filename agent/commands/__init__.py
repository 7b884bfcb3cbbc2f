"""The commands of `nodewright`, each a thin layer over the function that does it."""
