"""The built-in domains: one module each, found through entry points like anybody else's."""
