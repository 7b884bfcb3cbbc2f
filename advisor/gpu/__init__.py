"""What the samples of GPUs mean for the services that use them."""
