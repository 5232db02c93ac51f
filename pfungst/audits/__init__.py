"""Audits: what an audit is made of, from what was asked for to the order in which findings are told."""
