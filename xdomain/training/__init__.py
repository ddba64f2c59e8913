"""Fine-tuning, pre-training, metrics, baselines."""
