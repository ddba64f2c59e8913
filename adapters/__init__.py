"""The built-in domains: one module each, registered through entry points as anybody else's are."""
