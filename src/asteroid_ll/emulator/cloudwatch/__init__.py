"""CloudWatch: the metrics of training jobs."""
