"""Simple baselines: counted k-mers under a linear model, and a small CNN on one-hot symbols."""
