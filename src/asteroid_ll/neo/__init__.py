"""The domain: near-Earth asteroids, their columns and units, the label rule, features and sources."""
