"""The base of all other packages: recipes, sequences, plugins, errors, run folders. Nothing here loads torch."""
