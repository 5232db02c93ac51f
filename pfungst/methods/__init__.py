"""Methods: pure functions and frozen values, one file a kind, a registry on top of each."""
