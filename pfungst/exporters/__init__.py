"""Exporters: what other tools are told of an audit, one file a tool; other packages add theirs."""
