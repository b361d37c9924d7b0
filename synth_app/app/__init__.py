"""The top floor: the command line, settings, and the one place that builds the whole instrument."""
