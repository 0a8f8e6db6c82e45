"""Plans and runs the stages of a run directory."""
