"""What a run found, gathered from its directory and laid out: for the report, for explore, for `model show`."""
