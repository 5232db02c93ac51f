"""Remedies: what can be done, and what each buys."""
