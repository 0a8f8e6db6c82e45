"""The Price List of the emulated account."""
