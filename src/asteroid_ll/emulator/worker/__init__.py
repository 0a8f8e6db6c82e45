"""Training jobs: their rows, and the worker process that runs one job's containers."""
