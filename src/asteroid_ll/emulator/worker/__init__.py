"""A training job's process."""
