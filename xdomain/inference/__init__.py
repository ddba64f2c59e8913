"""A finished run in use: its model is loaded, and predicts new records."""
