"""`proformer draw`."""

from __future__ import annotations

import argparse
from pathlib import Path

EXAMPLES = """examples:
  proformer draw --tables results/tables --out figures \\
      --figures '{heatmap: {draw: grid, tables: [dream/run/grid.tsv]}}'
  proformer draw --figures figures.yaml --tables results/tables --out figures
where figures.yaml holds a figure per name:
  depth: {draw: violins, tables: [dream/run/grid.tsv, dream/run/tests.tsv], options: {factor: blocks, letter: e}}
  curves: {draw: convergence, tables: [dream/run/epochs.tsv], where: {dim: 16, blocks: 2, head: [AP, 8]}}
src/proformer/workflow/figures.yaml has all of the report's.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument(
        "--figures", required=True, help="YAML file, or text: name: draw, tables, where, options, caption"
    )
    parser.add_argument("--tables", type=Path, default=Path(), help="folder of the tables (default: this one)")
    parser.add_argument("--out", type=Path, required=True, help="folder for NAME.pdf, .svg, .png, .tsv and .rst")


def run(args: argparse.Namespace) -> None:
    """Draw figures from their tables, with the numbers that are drawn and the captions."""
    from proformer.cli.train import read_config
    from proformer.figures.draw import draw_figure

    for name, recipe in read_config(args.figures, "--figures").items():
        draw_figure(name, recipe, args.tables, args.out)
        print(f"{args.out / name}.png")
