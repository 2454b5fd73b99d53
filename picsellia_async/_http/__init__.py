"""How requests travel: the pool, sign-in, retries. The only place that awaits the network."""
