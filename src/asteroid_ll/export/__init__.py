"""A trained model as a file for other programs, one module per format."""
