"""A package that adds to pfungst: one file a thing, each named in ``pyproject.toml``."""
