"""Tasks on music: their readers, and toys."""
