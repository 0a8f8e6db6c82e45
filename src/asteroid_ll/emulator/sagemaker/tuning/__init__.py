"""Hyperparameter tuning jobs: ranges, search strategies, the operations, and the process that starts training jobs."""
