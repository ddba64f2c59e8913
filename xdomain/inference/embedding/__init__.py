"""Embeddings and attention weights of records."""
