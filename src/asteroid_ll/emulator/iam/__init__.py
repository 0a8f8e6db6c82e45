"""IAM: who sends a request, and whether the account's policies allow it."""
