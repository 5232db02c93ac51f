"""Report: audit.json in, pages for people and machines out."""
