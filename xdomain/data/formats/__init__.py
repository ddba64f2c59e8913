"""Kinds of file that hold records, each read into a table of strings."""
