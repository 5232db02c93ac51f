"""Screenshots of a run's report as people see it: light, dark, narrow and printed.

``python scripts/screenshots.py RUN OUT`` writes PNG files into OUT. Needs playwright and a chromium on the path.
"""

import shutil
import sys
from pathlib import Path

from playwright.sync_api import Browser, sync_playwright

VIEWS = {
    "light": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 320, "height": 800}, "color_scheme": "light", "device_scale_factor": 2},
    "print": {"viewport": {"width": 794, "height": 1123}, "color_scheme": "light"},
}
TALLEST, PIECES = 1800, 20


def main(run: Path, out: Path) -> None:
    """Draw each view: its first screen, and the page from top to bottom in pieces a person can look at."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("screenshots need a chromium on the path, and there is none; install it or add it to PATH")
    out.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for name in VIEWS:
            draw(browser, name, (run / "report.html").resolve(), out)
        browser.close()


def draw(browser: Browser, name: str, page_file: Path, out: Path) -> None:
    """One view of the page."""
    page = browser.new_context(**VIEWS[name]).new_page()
    page.emulate_media(media="print" if name == "print" else "screen", color_scheme=VIEWS[name]["color_scheme"])
    page.goto(page_file.as_uri())
    page.evaluate("() => { for (const image of document.images) image.loading = 'eager'; }")
    page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    page.screenshot(path=out / f"{name}.png")
    height = page.evaluate("() => document.documentElement.scrollHeight")
    width = VIEWS[name]["viewport"]["width"]
    page.set_viewport_size({"width": width, "height": min(height, PIECES * TALLEST)})
    for part, top in enumerate(range(0, min(height, PIECES * TALLEST), TALLEST), 1):
        clip = {"x": 0, "y": top, "width": width, "height": min(TALLEST, height - top)}
        page.screenshot(path=out / f"{name}-{part}.png", clip=clip)
    page.close()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: python scripts/screenshots.py RUN OUT")
    main(Path(sys.argv[1]), Path(sys.argv[2]))
