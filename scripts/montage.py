"""Put pictures side by side, scaled to one height: the pictures of the README."""

from __future__ import annotations

import argparse
from pathlib import Path

from PIL import Image

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--width", type=int, default=1600, help="pixels (default %(default)s)")
    args = parser.parse_args()
    pictures = [Image.open(path).convert("RGB") for path in args.pictures]
    height = round(args.width / sum(picture.width / picture.height for picture in pictures))
    scaled = [picture.resize((round(picture.width * height / picture.height), height)) for picture in pictures]
    page = Image.new("RGB", (sum(picture.width for picture in scaled), height), "white")
    for index, picture in enumerate(scaled):
        page.paste(picture, (sum(other.width for other in scaled[:index]), 0))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    page.quantize(128).save(args.out, optimize=True)
