"""The wire as data: endpoints, requests, answers. Pure; the client and the emulator both read it."""
