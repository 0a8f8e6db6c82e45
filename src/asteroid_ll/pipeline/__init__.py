"""What would run, and why (plan); running it (run); what a stage is (stage)."""
