"""The parts of discovery: the table of processes, their grouping into services, and the services' identity."""
