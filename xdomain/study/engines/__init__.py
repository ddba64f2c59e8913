"""Engines, which run the cells of a study: processes on this machine, or a Ray cluster."""
