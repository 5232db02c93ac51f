"""What the heaviest page costs: 1,500 thumbnails of photographs in 125 findings, rendered, opened and printed.

``python benchmarks/page.py`` prints bytes, seconds to render, first paint and load in headless chromium, and the bytes
of the printed page.
"""

import re
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from playwright.sync_api import sync_playwright

from pfungst.findings import Examples, Finding, Report, Shot, Verdict
from pfungst.report import html
from pfungst.report.thumbnails import webp
from pfungst.statistics.estimate import Estimate

FINDINGS, ROWS, SIDE = 125, 12, 96
PAINT = """new Promise((resolve) => {
  new PerformanceObserver((all) => resolve(all.getEntriesByName('first-contentful-paint')[0].startTime))
    .observe({ type: 'paint', buffered: true });
})"""


def photograph(seed: int) -> np.ndarray:
    """Something with edges and gradients, as heavy as a photograph of this size."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (12, 12, 3)).repeat(SIDE // 12, axis=0).repeat(SIDE // 12, axis=1)
    ramp = np.linspace(0, 60, SIDE)[:, None, None]
    return np.clip(0.6 * coarse + ramp + rng.normal(0, 6, (SIDE, SIDE, 3)), 0, 255).astype(np.uint8)


def heavy() -> tuple[Report, dict[str, bytes]]:
    """A report with as many pictures as a page may hold."""
    pictures = {f"test/{index}.webp": webp(photograph(index)) for index in range(FINDINGS * ROWS)}
    findings = tuple(
        Finding(
            id=f"f{number}", probe="unknowns", kind="confident", subject=f"set-{number}", status="found",
            severity="high", claim="It is sure of rows that belong to no class.",
            effect=Estimate(name="strangers stated above 0.9", value=0.4, low=0.35, high=0.45, rows=300),
            evidence=(Examples(title="The strangers it is surest of", items=tuple(
                (Shot(row=f"{row}", position=row, picture=f"test/{row}.webp", caption="as it is", answer="wolf",
                      probability=0.97),)
                for row in range(ROWS * number, ROWS * (number + 1))
            )),),
        )
        for number in range(FINDINGS)
    )  # fmt: skip
    empty: dict[str, Any] = {"model": {}, "data": {}, "settings": {}, "environment": {}, "headline": (), "skipped": ()}
    verdict = Verdict(generalizes="no", sentence="It does not generalize.")
    return Report(created="2026-01-01", verdict=verdict, findings=findings, passes=(), **empty), pictures


def main() -> None:
    """Print what it costs."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("this benchmark needs a chromium on the path, and there is none; install it or add it to PATH")
    report, pictures = heavy()
    began = time.perf_counter()
    # The bound on what is no picture is lifted, so that the bound on pictures is reached.
    html.LARGEST = 10_000_000
    page = html.render(report, pictures)
    rendered = time.perf_counter() - began
    bare = re.sub(r"data:image/webp;base64,[A-Za-z0-9+/=]+", "", page)
    print(
        f"{page.count('<img')} pictures, {len(page) / 1e6:.2f} MB, {len(bare) / 1e3:.0f} KB without; {rendered:.2f} s"
    )
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        target = Path(folder) / "report.html"
        target.write_text(page, encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=chromium)
        for _ in range(3):
            opened = browser.new_page()
            opened.goto(target.as_uri())
            paint = opened.evaluate(PAINT)
            load = opened.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd")
            elements = opened.evaluate("document.querySelectorAll('*').length")
            print(f"first paint {paint:.0f} ms, loaded {load:.0f} ms, {elements:,} elements")
        print(f"printed: {len(opened.pdf()) / 1e6:.1f} MB")
        browser.close()


if __name__ == "__main__":
    main()
