"""The emulated CloudWatch Logs."""
