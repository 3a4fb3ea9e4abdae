"""The verb that judges the grid of all combinations of blocks."""

from pathlib import Path
from typing import Annotated

from proformer.cli.options import read_yaml
from proformer.files import Output


def prix_fixe(
    *,
    grid: Annotated[Path, "table of `collect`: one row per combination and seed"],
    epochs: Annotated[Path, "table of `collect`: one row per combination, seed and epoch"],
    scores: Annotated[Path | None, "table of `score`, its models named PROCESSOR FIRST CORE FINAL SEED"] = None,
    out: Annotated[Output, "table of the combinations"],
    tests: Annotated[Output, "table: each two blocks of a role, over combinations that differ in nothing else"],
    importance: Annotated[Output, "table: how much of the spread follows from each role"],
    card: Annotated[Output, "table of the paper's claims"],
    html: Annotated[Output, "the claims as a page"],
    left_out: Annotated[str | Path, "YAML file, or text: PROCESSOR FIRST CORE FINAL: why it cannot be trained"] = "{}",
    reasons: Annotated[Output | None, "table of --left-out"] = None,
    simulated: Annotated[bool, "the run's data are simulated"] = False,
    note: Annotated[str, "what the run was, in a sentence"] = "",
) -> None:
    """Compare all combinations of blocks, and hold the claims of the Prix Fixe paper against them.

    examples:
      proformer prix-fixe --grid grid.tsv --epochs epochs.tsv --scores scores.tsv --out combinations.tsv \\
          --tests tests.tsv --importance importance.tsv --card card.tsv --html card.html
    """
    from proformer.evaluation import prix_fixe as evaluation
    from proformer.evaluation.claims import to_html
    from proformer.evaluation.prix_fixe_claims import report_card
    from proformer.files import read_table, write_table, write_text
    from proformer.settings import within

    with within("--left-out"):
        refused = evaluation.left_out(read_yaml(left_out, "--left-out"))
    scored = read_table(scores, evaluation.SCORED, dtype=evaluation.TYPES) if scores else None
    runs, curves = (
        read_table(path, columns, dtype=evaluation.TYPES)
        for path, columns in ((grid, evaluation.GRID), (epochs, evaluation.EPOCHS))
    )
    table = evaluation.combinations(runs, curves, scored)
    claims = report_card(table, simulated)
    write_table(out, table)
    write_table(tests, evaluation.module_tests(table))
    write_table(importance, evaluation.importance(table))
    write_table(card, claims)
    if reasons:
        write_table(reasons, refused)
    write_text(html, to_html(claims, note, "Report card: the claims on the Prix Fixe grid"))
    print(f"{int(table['converged'].sum())} of {len(table)} trainings have converged")
