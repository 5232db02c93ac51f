"""Remedies: what can be done about a finding, fitted on some rows and judged on others."""
