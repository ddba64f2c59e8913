"""Negatives: records of a second class, made where the data has one class only."""
