"""Analyses of finished runs: one question per file, each answered by a picture and a table."""
