"""The only room that talks to AWS; the rest of the program sees plain values."""
