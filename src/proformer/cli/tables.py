"""Verbs for tables, figures and pages."""

from pathlib import Path
from typing import Annotated, Literal

from proformer.cli.options import WithoutValue, read_yaml
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder, existing, read_table, write_table, write_text


def collect(
    *,
    dataset: Annotated[str, "its name in the tables"],
    models: Annotated[tuple[InputFolder, ...], "model folders"],
    sequences: Annotated[Path, "store on which expression tokens are compared"],
    grid: Annotated[Output, "table to write: one row per point"],
    epochs: Annotated[Output, "table to write: one row per point and epoch"],
    simulated: Annotated[
        str | None,
        WithoutValue(""),
        "simulated data: a perfect model's r beside; with a folder: of the ATAC-seq experiment that windows are from",
    ] = None,
) -> None:
    """Collect trained points into the tables of a grid.

    examples:
      proformer collect --dataset dream --models results/models/dataset~dream/dim~* \\
          --sequences validation.safetensors --grid grid.tsv --epochs epochs.tsv
    """
    from proformer.datasets.store import open_store
    from proformer.evaluation.ceiling import store_ceiling
    from proformer.evaluation.collect import collect

    ceiling = None
    if simulated is not None:
        ceiling = store_ceiling(sequences, Path(simulated) if simulated else None)["pearson"]
    points, curves = collect(dataset, models, open_store(sequences), ceiling)
    write_table(grid, points)
    write_table(epochs, curves)


def test_grid(
    *,
    grid: Annotated[Path, "table with dataset, dim, heads, blocks, head, seed, r"],
    tests: Annotated[Output, "table of tests to write"],
    means: Annotated[Output, "table of means by blocks, width and head to write"],
    spread: Annotated[Output, "table of mean, sd, min and max over seeds to write"],
) -> None:
    """Test a grid table as the paper does: rank tests, means by level, spread over seeds.

    examples:
      proformer test-grid --grid results/tables/dream/grid/grid.tsv --tests tests.tsv --means means.tsv \\
          --spread spread.tsv
    """
    from proformer.evaluation import statistics

    table = statistics.checked(read_table(grid), str(grid))
    write_table(tests, statistics.all_tests(table))
    write_table(means, statistics.means(table))
    write_table(spread, statistics.spread(table))


def report_card(
    *,
    run: Annotated[
        Path, "grid table of the run; 4: differences of scores; 5: pairs; challenge: scores, with other tables beside"
    ],
    out: Annotated[Output, "table to write"],
    html: Annotated[Output, "page to write"],
    figure: Annotated[Literal["2", "3", "4", "5", "challenge"], "whose claims"] = "2",
    published: Annotated[Path | None, "grid table of the paper (default: the one that comes with the library)"] = None,
    dataset: Annotated[str, "data set to judge; 5: native_61150 or random_2954"] = "dream",
    epochs: Annotated[Path | None, "4: table of the final models' epochs, for the claims on 4a"] = None,
    simulated: Annotated[bool, "the run's data are simulated"] = False,
    note: Annotated[str, "what the run was, in a sentence"] = "",
) -> None:
    """Hold the paper's claims on a figure, or the DREAM papers' on their challenge, against a run.

    examples:
      proformer report-card --run results/tables/dream/grid/grid.tsv --out card.tsv --html card.html
      proformer report-card --figure 4 --run results/tables/dream/differences.tsv --out card.tsv --html card.html
    """
    import pandas as pd

    from proformer.evaluation import FIGURE_5, claims_challenge, claims_curves, claims_scores, grid_claims
    from proformer.evaluation.claims import to_html
    from proformer.evaluation.statistics import checked, published_grid

    table = read_table(run)
    if figure == "4":
        curves = claims_curves.report_card(read_table(epochs) if epochs else None, simulated)
        card = pd.concat([claims_scores.report_card(table, simulated), curves], ignore_index=True)
    elif figure == "5":
        if dataset not in FIGURE_5:
            known = " or ".join(FIGURE_5)
            raise InputError(f"--dataset: found {dataset!r}, expected {known} for the claims on Figure 5")
        card = claims_scores.peers_card(table, dataset, simulated)
    elif figure == "challenge":
        card = claims_challenge.report_card(run.parent, simulated)
    else:
        paper = checked(read_table(published), str(published)) if published else published_grid()
        name = dataset if dataset in set(paper["dataset"]) else {"2": "dream", "3": "atac"}[figure]
        card = grid_claims.report_card(paper, checked(table, str(run)), dataset, figure, name, simulated)
    write_table(out, card)
    of = "of the DREAM papers" if figure == "challenge" else f"on Figure {figure}"
    write_text(html, to_html(card, note, f"Report card: the claims {of}"))


def join(
    *,
    tables: Annotated[tuple[Path, ...], "tables with the same columns"],
    out: Annotated[Output, "table to write"],
    where: Annotated[str | None, "keep rows whose first cell is this (default: all)"] = None,
) -> None:
    """Join tables with the same columns.

    examples:
      proformer join --tables A.tsv B.tsv --out both.tsv
      proformer join --tables grid.tsv --where dream --out dream.tsv        rows whose first cell is dream
    """

    head, rows = "", []
    for path in tables:
        try:
            first, *lines = existing(path).read_text(encoding="utf-8").splitlines(keepends=True) or [""]
        except UnicodeDecodeError as error:
            raise InputError(f"{path}: found no text ({error}), expected a table") from None
        head = head or first
        if first != head:
            raise InputError(f"{path}, line 1: found {first.strip()!r}, expected {head.strip()!r}")
        rows += [line for line in lines if where in (None, line.split("\t")[0])]
    write_text(out, head + "".join(rows))


def describe(
    *,
    config: Annotated[tuple[str | Path, ...], "a Proformer's keys as YAML, with its recipe, per output"],
    out: Annotated[tuple[Output, ...], "JSON files"],
) -> None:
    """Describe models for Figures 1 and 2a, as they are built.

    examples:
      proformer describe --config '{head: ap}' '{dim: 64, heads: 2}' --out ap.json meh.json
    """
    import json

    from proformer.models import build, find_recipe
    from proformer.models.describe import describe
    from proformer.models.proformer import Proformer

    if len(config) != len(out):
        raise InputError(f"--out: found {len(out)} files, expected one for each of {len(config)} configs")
    for text, path in zip(config, out, strict=True):
        keys = read_yaml(text, "--config")
        recipe = find_recipe("proformer", keys.pop("recipe"))["model"] if "recipe" in keys else {}
        model = build({**recipe, **keys})
        if not isinstance(model, Proformer):
            raise InputError(f"--config: found {text}, expected a Proformer")
        write_text(path, json.dumps(describe(model), indent=2, ensure_ascii=False) + "\n")


def draw(
    *,
    figures: Annotated[str | Path, "YAML file, or text: name: draw, tables, where, options, caption"],
    out: Annotated[OutputFolder, "folder for NAME.pdf, .svg, .png, .tsv and .rst"],
    tables: Annotated[Path, "folder of the tables"] = Path(),
) -> None:
    """Draw figures from their tables.

    examples:
      proformer draw --tables results/tables --out figures \\
          --figures '{heatmap: {draw: grid, tables: [dream/grid/grid.tsv]}}'
      proformer draw --figures figures.yaml --tables results/tables --out figures
    where figures.yaml holds a figure per name:
      depth: {draw: grid.violins, tables: [dream/grid/grid.tsv, dream/grid/tests.tsv], options: {factor: blocks}}
      curves: {draw: curves.convergence, tables: [dream/grid/epochs.tsv], where: {width: 16/2, blocks: 2}}
    src/proformer/workflow/figures.yaml has all of the report's.
    """
    from proformer.figures.draw import draw_figure

    recipes = read_yaml(figures, "--figures")
    if not recipes:
        raise InputError("--figures: found no figure, expected some")
    for name, recipe in recipes.items():
        draw_figure(name, recipe, tables, out)
        print(f"{out / name}.png")


def pages(
    *,
    captions: Annotated[str | Path, "YAML file, or text: name of a table: its caption"],
    tables: Annotated[Path, "folder of the tables, NAME.tsv"],
    out: Annotated[OutputFolder, "folder for NAME.html, and NAME.rst, the caption"],
) -> None:
    """Turn tables into pages that sort by their columns.

    examples:
      proformer pages --tables results/tables --out pages --captions '{dream/grid/grid: One row per model.}'
    """
    from proformer.tables import to_page

    for name, caption in read_yaml(captions, "--captions").items():
        path = tables / f"{name}.tsv"
        write_text(out / f"{name}.html", to_page(read_table(path), path.name))
        write_text(out / f"{name}.rst", f"{caption}\n")


def versions(
    *,
    config: Annotated[str, "the whole configuration, as text"],
    out: Annotated[Output, "table to write"],
) -> None:
    """Write what made the results: versions, hardware, revision, configuration.

    examples:
      proformer versions --config '{seeds: [1]}' --out versions.tsv
    """
    from proformer.provenance import describe_run

    write_table(out, describe_run(config))
