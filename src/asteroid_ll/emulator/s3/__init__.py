"""The emulated S3."""
