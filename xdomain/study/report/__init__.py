"""A study told: words, blocks, figures, and the two ways to write them down."""
