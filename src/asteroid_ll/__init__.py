"""NASA's near-Earth asteroids through SageMaker's Linear Learner, end to end, offline by default."""

__version__ = "0.1.0"
