"""The only package that calls AWS; the rest of the program sees plain values."""
