"""Print what coverage.py counted, lines and branches apart: make coverage.

Ends with 1 where too few of all lines or branches were reached; files that lie below a bar are named with both shares.
"""

import json
import sys
from collections.abc import Mapping
from pathlib import Path

REPORT = Path(__file__).parents[1] / "build" / "coverage" / "report.json"
LEAST = {"line": 95.0, "branch": 90.0}
"""Percent of all lines and of all branches."""
NAMED = 90.0
"""Percent below which a file is named."""


def shares(counted: Mapping[str, int]) -> dict[str, float]:
    """Percent of lines and of branches that were reached; where there are none, all of them.

    >>> shares({"covered_lines": 3, "num_statements": 4, "covered_branches": 0, "num_branches": 0})
    {'line': 75.0, 'branch': 100.0}
    """
    counts = {"line": ("covered_lines", "num_statements"), "branch": ("covered_branches", "num_branches")}
    return {
        kind: 100 * counted[reached] / counted[there] if counted[there] else 100.0
        for kind, (reached, there) in counts.items()
    }


def main() -> int:
    """Read, print, judge."""
    told = json.loads(REPORT.read_text())
    files = {name: shares(one["summary"]) for name, one in told["files"].items()}
    low = {name: share for name, share in files.items() if min(share.values()) < NAMED}
    for name, share in sorted(low.items(), key=lambda item: min(item[1].values())):
        print(f"{name:56} line {share['line']:5.1f} %  branch {share['branch']:5.1f} %")
    total = shares(told["totals"])
    print(f"{len(low)} of {len(files)} files lie below {NAMED:.0f} %")
    print(", ".join(f"{kind} coverage {total[kind]:.2f} % (at least {least:.0f})" for kind, least in LEAST.items()))
    return int(any(total[kind] < least for kind, least in LEAST.items()))


if __name__ == "__main__":
    sys.exit(main())
