"""Kill audits of the embedded example at random moments, resume them, and compare with the uninterrupted one.

``python scripts/random_kills.py --times 30`` prints how many resumed audits wrote the same ``audit.json`` (without its
times). A run is killed with SIGKILL after a random share of the time that the uninterrupted one took, once or several
times in a row, and then left to end.
"""

import argparse
import json
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

MOST_KILLS = 3


def command(out: Path, only: str) -> list[str]:
    """The audit of the embedded example into a folder."""
    words = [sys.executable, "-m", "pfungst.cli", "demo", "--out", str(out), "--quiet"]
    return [*words, "--only", only] if only else words


def timeless(out: Path) -> dict[str, Any]:
    """What an audit said, without what is time or tells what was asked anew."""
    report: dict[str, Any] = json.loads((out / "audit.json").read_text("utf-8"))
    report.pop("created")
    report["settings"].pop("command", None)
    for record in report["passes"]:
        record.pop("seconds")
        record.pop("cached")
    return report


def readable(out: Path) -> bool:
    """Whether a killed audit left nothing, or a report that can be read."""
    if not (out / "audit.json").exists():
        return True
    done = subprocess.run([sys.executable, "-m", "pfungst.cli", "show", str(out)], capture_output=True, check=False)
    return done.returncode == 0


def killed(out: Path, only: str, seconds: float, dice: random.Random) -> int:
    """Start an audit and kill it some times; gives how often it was caught alive."""
    caught = 0
    for _ in range(dice.randint(1, MOST_KILLS)):
        process = subprocess.Popen(command(out, only), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.02, 1.0) * seconds)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.wait()
        caught += alive
        if not alive:
            break
    return caught


def main() -> int:
    """Kill, resume, compare; 1 if a resumed audit differs or a killed one left what cannot be read."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--times", type=int, default=30)
    asked.add_argument("--seed", type=int, default=0)
    asked.add_argument("--only", default="", help="probes, separated by commas (default: all)")
    given = asked.parse_args()
    dice = random.Random(given.seed)  # noqa: S311 - moments, not secrets
    with tempfile.TemporaryDirectory() as folder:
        whole = Path(folder) / "run"
        began = time.monotonic()
        subprocess.run(command(whole, given.only), check=False, capture_output=True)
        seconds, reference = time.monotonic() - began, timeless(whole)
        print(f"uninterrupted: {seconds:.1f} s, {len(reference['findings'])} findings", flush=True)
        equal = clean = kills = 0
        for number in range(given.times):
            out = Path(folder) / f"{number}" / "run"
            caught = 0
            while not caught:  # an audit that was quicker than its kill proves nothing: it starts anew
                shutil.rmtree(out, ignore_errors=True)
                began = time.monotonic()
                caught = killed(out, given.only, seconds, dice)
                seconds = seconds if caught else min(seconds, time.monotonic() - began) * 0.9
            kills += caught
            clean += readable(out)
            ended = subprocess.run(command(out, given.only), check=False, capture_output=True)
            same = ended.returncode in {0, 1} and timeless(out) == reference
            equal += same
            print(f"{number + 1}: killed {caught} times; resumed: {'equal' if same else 'DIFFERENT'}", flush=True)
    print(
        f"{equal} of {given.times} resumed audits equal the uninterrupted one; {kills} kills of a living audit; "
        f"{clean} of the killed folders held nothing or a report that can be read"
    )
    return int(not equal == clean == given.times)


if __name__ == "__main__":
    sys.exit(main())
