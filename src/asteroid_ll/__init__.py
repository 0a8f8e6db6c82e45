"""NASA's near-Earth asteroids through SageMaker's Linear Learner, end to end, offline by default."""

__version__ = "0.1.0"

ENVIRONMENT_PREFIX = "ASTEROID_LL_"
"""What the names of our environment variables begin with."""
