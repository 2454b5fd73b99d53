"""The suites of httpx and httpcore, run over our transport by `nox -s upstream`."""
