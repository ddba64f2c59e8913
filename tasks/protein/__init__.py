"""Readers of proteins' odd file formats."""
