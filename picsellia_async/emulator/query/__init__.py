"""Listings: the query language, pages and order."""
