"""How are settings files of several formats read? Nothing is run; what is not plain is a problem, never a guess."""
