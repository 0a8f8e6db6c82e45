"""The emulated STS."""
