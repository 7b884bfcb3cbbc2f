"""The HTTP interface: one file per group of resources, one envelope, one place that decides who may ask."""
