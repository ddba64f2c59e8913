"""Metrics, their intervals over test records, and whether a model learned anything."""
