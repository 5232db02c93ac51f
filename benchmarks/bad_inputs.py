"""Bad inputs: what pfungst does with each. Prints a table and ends with 1 where one is not handled as it must be.

``python benchmarks/bad_inputs.py [GROUP or word ...]``
"""

import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from hostile import every
from hostile.case import Outcome, outcome

WIDTH = 110


def line(found: Outcome) -> str:
    """One row of the table."""
    said = ascii(found.said)[1:-1].replace("|", "\\|")
    said = said if len(said) <= WIDTH else said[: WIDTH - 1] + "…"
    what = f"{found.case.group}: {found.case.name}".replace("|", "\\|")
    return f"| {what} | {found.code} | {said} | {'ok' if not found.wrong else 'NOT OK: ' + ascii(found.wrong)} |"


def main() -> int:
    """Try all, or those whose name holds a word that was given."""
    words = sys.argv[1:]
    chosen = [one for one in every() if not words or any(word in f"{one.group}: {one.name}" for word in words)]
    print("| bad input | exit code | what is said | |\n| --- | --- | --- | --- |")
    wrong, seconds, refused = 0, 0.0, 0
    for case in chosen:
        with tempfile.TemporaryDirectory() as folder:
            found = outcome(case, Path(folder))
        print(line(found), flush=True)
        wrong += bool(found.wrong)
        refused += found.code == 2
        seconds += found.seconds
    print(
        f"\n{len(chosen)} bad inputs: {refused} refused with one sentence and exit code 2, {len(chosen) - refused} "
        f"handled; {wrong} not as they must be; {seconds:.0f} s"
    )
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
