"""Benchmarks of picsellia_async. See README.md."""
