"""One file per rule; the file's name, in kebab case, is the rule's id."""
