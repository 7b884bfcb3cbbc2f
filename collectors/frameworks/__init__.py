"""One file per serving framework; pure: processes and facts in, services, settings and metrics out."""
