"""Handlers, one module per service: they read a request, ask the rules of `domain`, and answer."""
