"""Running: collection, the training loop, evaluation, checkpoints, records."""
