"""Frames on disk: the store, the thread that writes it, the queue whose far end it is."""
