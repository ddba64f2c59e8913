"""Tasks on speech: readers of unit files, and a simulator of spoken questions."""
