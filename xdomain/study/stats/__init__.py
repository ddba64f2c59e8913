"""Intervals, tests and variance components for results over seeds, mappings and test records."""
