"""Handlers of the platform, one module per noun; function names are those of the endpoint table."""
