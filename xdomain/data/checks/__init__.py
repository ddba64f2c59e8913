"""What is wrong with a data set and would not be seen: leaks, contradictions, shortcuts."""
