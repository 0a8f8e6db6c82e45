"""Rows to scores: read from files or found by name, scored by the endpoint or the artifact, written for people."""
