"""Looking inside finished runs: one question a file, each answered by a picture and a table."""
