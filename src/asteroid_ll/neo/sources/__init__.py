"""Where asteroids come from: a module a source, each giving the same canonical table."""
