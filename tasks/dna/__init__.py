"""Readers of DNA's odd file formats."""
