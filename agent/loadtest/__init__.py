"""`nodewright loadtest`: stepped rates, open loop, until a service no longer keeps up."""
