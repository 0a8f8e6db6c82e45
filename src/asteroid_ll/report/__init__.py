"""Scores with their baselines, and figures."""
