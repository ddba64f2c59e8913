"""What everything else rests on: recipes, sequences, plugins, errors, run folders. Nothing here loads torch."""
