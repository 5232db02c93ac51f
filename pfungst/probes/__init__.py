"""Probes: one file a question of the audit."""
