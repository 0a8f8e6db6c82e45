"""The emulated CloudWatch Logs. `service.py` has its operations, and `store.py` keeps the lines."""
