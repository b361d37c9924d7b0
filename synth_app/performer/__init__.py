"""Music is decided here: events go in, actions come out, and nothing waits."""
