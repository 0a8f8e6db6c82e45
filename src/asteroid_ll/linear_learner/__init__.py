"""SageMaker's built-in Linear Learner, offline: the algorithm alone, without AWS and without asteroids."""
