"""A run directory: its files, its journal and its lock."""
