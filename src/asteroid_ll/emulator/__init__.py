"""AWS in a directory: a function from an HTTP request to a response that really trains, hosts and bills."""
