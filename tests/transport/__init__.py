"""The transport against real peers: servers that nobody here wrote, and scripted ones that misbehave."""
