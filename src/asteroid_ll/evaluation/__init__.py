"""How good a model is: scores, intervals, thresholds, mistakes and findings."""
