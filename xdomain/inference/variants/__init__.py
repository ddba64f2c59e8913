"""Scores of variants: what a change to a sequence does to a model's answer."""
