"""The parts of a study's report: words, blocks, figures, and the two ways to write them down."""
