"""What the emulator remembers: database, contents, and the lock of its directory."""
