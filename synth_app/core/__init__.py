"""Values every floor shares: events, keys, units, parameters, errors. No behaviour, no threads, no I/O."""
