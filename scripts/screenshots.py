"""Screenshots of reports as people see them: light, dark, narrow (320 pixels), without script, and printed.

``python scripts/screenshots.py RUN OUT [RUN OUT ...]`` writes PNG files into each OUT: the first screen of each view,
then the page in pieces from top to bottom, and the printed page as PDF. It prints how soon the page was painted. Needs
playwright and a chromium on the path.
"""

import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, sync_playwright

WIDE = {"viewport": {"width": 1280, "height": 1180}}
VIEWS: dict[str, dict[str, Any]] = {
    "light": {**WIDE, "color_scheme": "light"},
    "dark": {**WIDE, "color_scheme": "dark"},
    "narrow": {"viewport": {"width": 320, "height": 800}, "device_scale_factor": 2},
    "no-script": {**WIDE, "java_script_enabled": False},
    "print": {"viewport": {"width": 794, "height": 1123}},
}
TALLEST, PIECES = 1800, 20
PAINT = """new Promise((resolve) => {
  const load = performance.getEntriesByType('navigation')[0].loadEventEnd;
  new PerformanceObserver((all) => resolve([all.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0, load]))
    .observe({ type: 'paint', buffered: true });
})"""


def main(pairs: list[str]) -> None:
    """Draw every view of every run."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        sys.exit("screenshots need a chromium on the path, and there is none; install it or add it to PATH")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        for run, out in zip(pairs[::2], pairs[1::2], strict=True):
            Path(out).mkdir(parents=True, exist_ok=True)
            for name in VIEWS:
                draw(browser, name, (Path(run) / "report.html").resolve(), Path(out))
        browser.close()


def draw(browser: Browser, name: str, page_file: Path, out: Path) -> None:
    """One view of the page."""
    context = browser.new_context(**VIEWS[name])
    page = context.new_page()
    if name == "print":
        page.emulate_media(media="print")
    page.goto(page_file.as_uri())
    if name == "light":
        paint, load = page.evaluate(PAINT)
        pictures = page.locator("img").count()
        size = page_file.stat().st_size / 1e6
        print(f"{page_file}: {size:.2f} MB, {pictures} pictures, first paint {paint:.0f} ms, loaded {load:.0f} ms")
    for image in page.locator("img").all() if name == "no-script" else ():
        image.scroll_into_view_if_needed()
    if name != "no-script":
        page.evaluate("() => { for (const image of document.images) image.loading = 'eager'; }")
        page.wait_for_function("() => [...document.images].every((image) => image.complete)")
    page.screenshot(path=out / f"{name}.png")
    if name == "print":
        page.pdf(path=out / "print.pdf", format="A4", margin=dict.fromkeys(("top", "right", "bottom", "left"), "15mm"))
    cut(page, VIEWS[name]["viewport"]["width"], out / name)
    context.close()


def cut(page: Page, width: int, stem: Path) -> None:
    """The page from top to bottom, each piece as tall as a person can look at."""
    height = min(page.evaluate("() => document.documentElement.scrollHeight"), PIECES * TALLEST)
    page.set_viewport_size({"width": width, "height": height})
    for part, top in enumerate(range(0, height, TALLEST), 1):
        clip = {"x": 0, "y": top, "width": width, "height": min(TALLEST, height - top)}
        page.screenshot(path=stem.with_name(f"{stem.name}-{part}.png"), clip=clip)


if __name__ == "__main__":
    if len(sys.argv) < 3 or len(sys.argv) % 2 == 0:
        sys.exit("usage: python scripts/screenshots.py RUN OUT [RUN OUT ...]")
    main(sys.argv[1:])
