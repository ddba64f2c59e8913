"""Who runs the cells of a study: processes here, or a Ray cluster."""
