"""Readers of text data sets."""
