"""Readers: folders, tables and arrays as rows."""
