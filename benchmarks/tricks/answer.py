"""Answer rows that come in on standard input, one JSON list of rows a line, with the model of a folder.

The other tools live in environments of their own, with other versions of scikit-learn than the model was saved with.
"""

import json
import sys
from pathlib import Path

import numpy as np
from skops import io


def main() -> None:
    """One line of probabilities for each line of rows."""
    folder = Path(sys.argv[1])
    file = folder / "model.skops"
    # Our own file: trees are listed among the types that a stranger's file could misuse.
    model = io.load(file, trusted=io.get_untrusted_types(file=file))
    texts = json.loads((folder / "truth.json").read_text(encoding="utf-8"))["modality"] == "text"
    for line in sys.stdin:
        rows = json.loads(line)
        numbers = not texts and all(isinstance(cell, int | float) for cell in rows[0])
        inputs = rows if texts else np.array(rows, dtype=float if numbers else object)
        print(json.dumps(model.predict_proba(inputs).tolist()), flush=True)


if __name__ == "__main__":
    main()
