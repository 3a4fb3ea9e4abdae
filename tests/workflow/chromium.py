"""Open a local HTML page in headless Chromium and look at what a reader would see."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import tempfile
from html import unescape
from pathlib import Path

import pytest

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--virtual-time-budget=20000",
    "--window-size=1400,1000",
)
WALK = """
(async () => {
    const seen = {};
    const show = (view) => { app.setView(view); return new Promise((resolve) => setTimeout(resolve, 50)); };
    for (const category in categories)
        for (const subcategory in categories[category]) {
            await show({ navbarMode: "menu" });
            await show({ navbarMode: "subcategory", category, subcategory });
            const menu = document.querySelector("#app nav");
            if (!menu) throw new Error(`${category} / ${subcategory}: the report goes blank`);
            seen[`${category} / ${subcategory}`] = menu.innerText;
        }
    for (const [path, result] of Object.entries(results)) {
        seen[path] = new DOMParser().parseFromString(result.caption, "text/html").body.textContent.trim();
        if (!seen[path] || seen[path].includes("System Message")) throw new Error(`${path}: its caption is broken`);
        if (!result.mime_type.startsWith("image/")) continue;
        const image = new Image();
        image.src = result.data_uri;
        await new Promise((resolve) => { image.onload = image.onerror = resolve; });
        if (!image.naturalWidth) throw new Error(`${path}: the figure cannot be drawn`);
    }
    return JSON.stringify(seen);
})().then((seen) => seen, (error) => `${error}`).then((text) => { document.body.innerText = text; });
"""


def open_page(page: Path, script: str = "") -> str:
    """Return the document of ``page`` as it stands after its own scripts, and then ``script``, have run.

    ``script`` acts for the reader, e.g. by a click. The document comes without the text of its scripts and styles, so
    that what is found in it is shown. Skips the test where Chromium is missing.
    """
    shown = _chromium(page, script, "--dump-dom").stdout
    return re.sub(r"<(script|style)\b.*?</\1>", "", shown, flags=re.DOTALL)


def walk_report(page: Path) -> dict[str, str]:
    """Open every category of a Snakemake report and every figure in it.

    Returns what the reader sees: the menu of each ``category / subcategory``, and the caption of each result by its
    path. Fails the test where a category leaves the report blank, a figure cannot be drawn or a caption is missing.
    """
    body = open_page(page, WALK).partition("<body")[2].partition(">")[2].partition("</body>")[0]
    text = unescape(body.replace("<br>", "\n")).strip()
    assert text.startswith("{"), f"{page}: {text[:500]}"
    return json.loads(text)


def screenshot(page: Path, png: Path, script: str = "") -> None:
    """Draw ``page`` as ``open_page`` would see it into the file ``png``."""
    _chromium(page, script, f"--screenshot={png.resolve()}")
    if not png.is_file():
        raise RuntimeError(f"{page}: Chromium drew nothing")


def _chromium(page: Path, script: str, action: str) -> subprocess.CompletedProcess[str]:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("Chromium is missing: install it (Debian: apt-get install chromium) to open pages as a reader does")
    with tempfile.TemporaryDirectory() as folder:
        if script:
            copy = Path(folder, page.name)
            copy.write_text(f"{page.read_text()}\n<script>setTimeout(() => {{ {script} }}, 1000)</script>\n")
            page = copy
        command = [browser, *FLAGS, f"--user-data-dir={folder}/profile", action, page.resolve(strict=True).as_uri()]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
