"""Frames on disk: the store, the thread that writes it (`spool`), the queue whose far end it is, and their bound (`quota`)."""
