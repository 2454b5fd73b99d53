"""The handles that a deployment reaches: tags, data, datasets, models, projects, campaigns. One noun per file."""
