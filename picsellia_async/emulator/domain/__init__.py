"""The rules of the platform as far as they are known: what becomes of predictions, campaigns and reviews. No HTTP here."""
