"""The emulated STS, in `service.py`."""
