"""The verb that scores cross-validated models."""

from pathlib import Path
from typing import Annotated

from proformer.cli.options import named
from proformer.files import Output


def folds(
    *,
    results: Annotated[Path, "folder of a run: its models, the predictions of their test folds, and its data"],
    datasets: Annotated[tuple[str, ...], "cross-validated data sets"],
    runs: Annotated[tuple[str, ...], "runs of the models"],
    draws: Annotated[tuple[str, ...], "test and validation folds, such as 2L-0"],
    standard: Annotated[str, "the run that others are compared with"],
    benchmark: Annotated[str, "whose claims: drosophila, human or chromatin"] = "",
    ceilings: Annotated[
        Path | None, "what a perfect model reaches of simulated files: file, task, metric, value"
    ] = None,
    files: Annotated[tuple[str, ...], "DATASET=FILE, simulated ones, by their names in --ceilings"] = (),
    simulated: Annotated[bool, "the run's data are simulated"] = False,
    note: Annotated[str, "what the run was, in a sentence"] = "",
    out: Annotated[Output, "table: a row per model, test fold, task and metric; published numbers below"],
    tests: Annotated[Output, "table of paired t tests against the standard"],
    card: Annotated[Output, "table of the paper's claims"],
    html: Annotated[Output, "the claims as a page"],
) -> None:
    """Average models within each test fold, score them, and compare them with a standard.

    examples:
      proformer folds --results results --datasets starrseq --runs deepstarr dream-rnn --draws 2L-0 2R-0 3L-0 \\
          --standard deepstarr --benchmark drosophila --out folds.tsv --tests tests.tsv --card c.tsv --html c.html
    """
    from proformer.evaluation import folds as evaluation
    from proformer.evaluation.claims import to_html
    from proformer.evaluation.claims_benchmarks import report_card
    from proformer.files import read_table, write_table, write_text

    table = evaluation.score_folds(results, datasets, runs, draws)
    if ceilings:
        table = evaluation.with_ceilings(table, read_table(ceilings), dict(named(files)))
    found = evaluation.paired_tests(table, standard)
    claims = report_card(table, found, benchmark, simulated)
    write_table(out, table)
    write_table(tests, found)
    write_table(card, claims)
    write_text(html, to_html(claims, note, f"Report card: Figure 3 of the DREAM paper, {benchmark}"))
    print(found.to_string(index=False, float_format="%.4g"))
