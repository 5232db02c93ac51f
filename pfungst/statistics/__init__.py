"""Statistics: intervals, tests and corrections, on arrays only."""
