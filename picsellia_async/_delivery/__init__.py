"""The uploader's inner rooms: admission, gate, limit, spool, report."""
