"""Runs: where a RUN lies, on a disk or in an object store, and who works in it."""
