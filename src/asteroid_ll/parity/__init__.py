"""A training job of AWS, run again here and judged number by number."""
