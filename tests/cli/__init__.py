"""The operators' command line, against the product's own handlers."""
