"""Symbols to vocabulary rows, and the encoder that reads them."""
