"""Everything between the socket and a handler: runner, messages, journal, faults."""
