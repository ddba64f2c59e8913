"""A run for other tools and for a paper: its model as ONNX, and a page about it."""
