"""A finished run made smaller: compress."""
