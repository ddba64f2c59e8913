"""Generated tasks: no file, no network, learnable in a minute."""
