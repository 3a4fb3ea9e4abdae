"""Verbs for predictions and their scores."""

from pathlib import Path
from typing import Annotated, Literal

from proformer.cli.options import DREAM_FLANKS, CpuThreads, Device, Medium, load_model, named
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder, write_table, write_text
from proformer.settings import Count, CountOrZero, Flanks, Share
from proformer.tasks import MetricName


def predict(
    *,
    model: Annotated[tuple[InputFolder, ...], "model folders"],
    sequences: Annotated[tuple[Path, ...], "files of sequences, or stores; -: standard input"] = (Path("-"),),
    out: Annotated[tuple[Output, ...], "tables or stores: each file's, by model; -: standard output"] = (Output("-"),),
    trimmed: Annotated[bool, "the sequences come without the constant flanks"] = False,
    batch_size: Annotated[Count | None, "sequences at once (default: by the model's size)"] = None,
    quantiles: Annotated[bool, "numbers between 0 and 1 in the same order, by BHI's last step"] = False,
    device: Device = "auto",
    threads: CpuThreads = None,
) -> None:
    """Predict for sequences.

    examples:
      proformer predict --model results/models/…/ --sequences test_sequences.txt --out predictions.tsv
      proformer predict --model model --sequences promoters.fa.gz --trimmed --out predictions.tsv
      zcat promoters.txt.gz | proformer predict --model model > predictions.tsv
      proformer predict --model model --sequences test.safetensors --out profiles.safetensors

    A file of sequences: TSV or CSV, plain or gz, with a column sequence or seq, or the sequence first; or FASTA. Tables
    have the columns name, sequence, and prediction or one for each task; stores (NAME.safetensors) hold profiles, too.
    """
    import sys

    if len(model) * len(sequences) != len(out):
        raise InputError(
            f"--out: {len(out)} tables, expected one for each of {len(model)} models and {len(sequences)} files"
        )
    tables = iter(out)
    for folder in model:
        predictor = load_model(folder, device, threads)
        predictor.quantiles = quantiles
        for file in sequences:
            table = next(tables)
            count = predictor.predict_file(file, table, batch_size, trimmed=trimmed)
            print(f"{count:,} predictions in {table}", file=sys.stderr if table == Path("-") else sys.stdout)


def evaluate(
    *,
    predictions: Annotated[Path, "table or store made by `proformer predict`"],
    truth: Annotated[Path, "in the same order: a file of values, a table of `proformer measured`, or a store"],
    metrics: Annotated[tuple[MetricName, ...], "default: those of the task, else pearson, spearman, r2 and mse"] = (),
    samples: Annotated[CountOrZero, "of the bootstrap; 0: no intervals"] = 1000,
    seed: Annotated[CountOrZero, "of the bootstrap"] = 0,
    columns: Annotated[tuple[str, ...], "NAME=VALUE, in front (default: run, evaluation: the files' names)"] = (),
    out: Annotated[Output | None, "table: a row per task and metric, with its 95 % interval"] = None,
) -> None:
    """Score predictions against measurements, task by task.

    examples:
      proformer evaluate --predictions predictions.tsv --truth filtered_test_data_with_MAUDE_expression.txt
      proformer evaluate --predictions profiles.safetensors --truth test.safetensors --metrics pearson poisson_nll
      proformer evaluate --predictions a.tsv --truth t.tsv --columns dataset=leaves run=danq width=64 seed=1 --out b.tsv
    """
    from proformer.evaluation.evaluate import evaluate

    table = evaluate(predictions, truth, metrics, samples, seed)
    front = dict(named(columns)) or {"run": predictions.stem, "evaluation": truth.stem}
    for place, (name, value) in enumerate(front.items()):
        table.insert(place, name, value)
    write_table(out, table)
    print(table.to_string(index=False, na_rep="", float_format="%.4f"))


def score(
    *,
    predictions: Annotated[tuple[Path, ...], "one file per model"],
    names: Annotated[tuple[str, ...] | None, "names of the models (default: names of the files)"] = None,
    truth: Annotated[Path | None, "sequence<TAB>measured value; not needed for the public part"] = None,
    subsets: Annotated[tuple[InputFolder, ...], "test_subset_ids: folder, or CSV files"] = (),
    leaderboard: Annotated[tuple[InputFolder, ...], "public_leaderboard_ids: folder, or JSON files"] = (),
    part: Annotated[Literal["private", "public", "all"], "rows to score"] = "private",
    partial: Annotated[bool, "leave out subsets that the predictions do not cover"] = False,
    samples: Annotated[CountOrZero, "of the bootstrap; 0: none"] = 10_000,
    fraction: Annotated[Share, "of the test data in a sample"] = 0.1,
    seed: Annotated[CountOrZero, "of the bootstrap"] = 1,
    threads: CpuThreads = None,
    simulated: Annotated[bool, "simulated promoters: the scores of a perfect model beside"] = False,
    out: Annotated[Output | None, "table: every number with its interval"] = None,
    tables: Annotated[
        OutputFolder | None,
        "folder of further tables: ranks, rank_shares and differences (pairs of models) in the samples, density "
        "(predicted against measured), correlations of models, ensembles, and changes of expression",
    ] = None,
) -> None:
    """Score predictions for the DREAM test set, subset by subset, and rank models.

    examples:
      proformer score --predictions submission.json --truth filtered_test_data_with_MAUDE_expression.txt \\
          --subsets test_subset_ids --leaderboard public_leaderboard_ids --out scores.tsv
      proformer score --predictions a.tsv b.tsv.gz --names A B … --tables comparison
      proformer score --predictions a.tsv --part public --partial --subsets … --leaderboard …   (without a truth file)

    A file of predictions, plain or gz: a table of `proformer predict`, sequence<TAB>value, or JSON {"0": value, …}.
    """
    from proformer.evaluation import bootstrap, challenge
    from proformer.evaluation.density import density_table
    from proformer.evaluation.dream import MEASURES, SCORES, WEIGHTS, read_benchmark, score_table, with_ceiling
    from proformer.evaluation.submissions import predictions_of

    names = names or tuple(path.name.removesuffix(".gz").rpartition(".")[0] or path.name for path in predictions)
    if len(names) != len(predictions) or len(set(names)) != len(names):
        raise InputError(f"names: found {', '.join(names)}, expected a different one for each file of predictions")
    if not samples and tables:
        raise InputError("samples: found 0, expected some for ranks and differences")
    benchmark = read_benchmark(part, truth, subsets, leaderboard)
    benchmark, submitted = predictions_of(dict(zip(names, predictions, strict=True)), benchmark, partial)
    table = score_table(benchmark, submitted)
    if simulated:
        table = with_ceiling(table, benchmark)
    ranked = None
    if samples:
        resampled = bootstrap.resample(benchmark, submitted, samples, fraction, seed, threads)
        table, ranked = bootstrap.with_intervals(table, resampled), bootstrap.rank_table(resampled)
        if tables:
            rows = challenge.rows_to_train_on(benchmark, submitted)
            for name, found in {
                "ranks": ranked,
                "rank_shares": challenge.rank_shares(resampled),
                "differences": bootstrap.difference_table(table, resampled),
                "density": density_table(benchmark, submitted),
                "correlations": challenge.correlations(benchmark, submitted),
                "ensembles": challenge.ensembles(benchmark, submitted, rows),
                "changes": challenge.changes(benchmark),
            }.items():
                write_table(tables / f"{name}.tsv", found)
    write_table(out, table)
    for model, chosen in table.groupby("model", sort=False):
        numbers = chosen[chosen["measure"].isin(MEASURES)]
        wide = numbers.pivot(index="subset", columns="measure", values="value")[[*MEASURES]]
        wide = numbers.groupby("subset", sort=False)[["n", "weight", "note"]].first().join(wide)
        shown = wide[["n", "weight", *MEASURES]].to_string(float_format="%.4f", index_names=False)
        print(f"{model} ({part} part)")
        print("\n".join(map(" ".join, zip(shown.splitlines(), ["", *wide["note"]], strict=True))))
        for line in chosen[chosen["measure"].isin(SCORES)].itertuples():
            interval = f" ({line.low:.4f} to {line.high:.4f})" if samples else ""
            which = (
                f" of the subsets at hand, weights {line.weight:g} of {sum(WEIGHTS.values()):g}"
                if benchmark.missing
                else ""
            )
            print(f"{line.measure.replace('_', ' ').capitalize()}{which}: {line.value:.4f}{interval}")
        print()
    if ranked is not None and len(ranked) > 1:
        print(ranked.to_string(index=False, float_format="%.4f"))


def peers(
    *,
    table: Annotated[Path, "evaluation table made by `proformer measured`"],
    out: Annotated[Output, "table of scores"],
    tests: Annotated[Output, "table of paired tests"],
    title: Annotated[str | None, "what figures call the set (default: its name)"] = None,
    medium: Medium = None,
    flanks: Annotated[Flanks, "constant ends"] = DREAM_FLANKS,
    printed: Annotated[str | None, "evaluation of published/peers.tsv whose numbers join the table"] = None,
    published: Annotated[tuple[str, ...], "MODEL=FILE, published prediction tables"] = (),
    predictions: Annotated[tuple[str, ...], "MODEL:SEED=FILE, tables of `proformer predict`"] = (),
    simulated: Annotated[bool, "simulated promoters: a perfect model's r beside"] = False,
    samples: Annotated[Count, "of the bootstrap"] = 2000,
) -> None:
    """Score several models on one evaluation set, with intervals and paired tests.

    examples:
      proformer measured --file Native_test_DanQ_model.csv --name native --medium complex --out native.tsv
      proformer peers --table native.tsv --medium complex --printed native_3733 \\
          --published DanQ=Native_test_DanQ_model.csv Transformer=Native_test_tpu_model.csv \\
          --predictions proformer:1=predictions.tsv --out scores.tsv --tests tests.tsv
    """
    from proformer.datasets.measured import published_predictions, read_evaluation
    from proformer.evaluation.peers import RECOMPUTED, Entry, run_entry, score_set
    from proformer.evaluation.peers import printed as printed_numbers
    from proformer.simulate.perfect import perfect_sequences

    measured = read_evaluation(table)
    entries = []
    for model, path in named(published):
        entries.append(Entry(RECOMPUTED, model, "", published_predictions(Path(path), measured, medium, flanks)))
    for label, path in named(predictions):
        model, _, seed = label.rpartition(":")
        entries.append(run_entry(model or seed, seed if model else "", Path(path), measured))
    name = str(measured["set"].iloc[0])
    perfect = perfect_sequences(measured["sequence"].tolist()) if simulated else None
    words = (name, title or name, medium or "")
    scores, pairs = score_set(*words, measured, entries, printed_numbers(printed), samples, perfect)
    write_table(out, scores)
    write_table(tests, pairs)
    print(scores.drop(columns=["title", "note"]).to_string(index=False))


def public_test(
    *,
    subsets: Annotated[tuple[InputFolder, ...], "tables or folders of the test subsets"],
    leaderboard: Annotated[tuple[InputFolder, ...], "files or folders of the leaderboard"],
    out: Annotated[Output, "file to write: sequence<TAB>value, by row of the test set"],
) -> None:
    """Write the sequences of the DREAM test set whose values are public.

    examples:
      proformer public-test --subsets test_subset_ids --leaderboard public_leaderboard_ids --out public.tsv
    """
    import numpy as np

    from proformer.evaluation.dream import read_benchmark

    benchmark = read_benchmark("public", None, subsets, leaderboard)
    measured = set(np.flatnonzero(np.isfinite(benchmark.truth)).tolist())
    rows = sorted(measured & benchmark.sequences.keys())
    write_text(out, "".join(f"{benchmark.sequences[row]}\t{float(benchmark.truth[row])!r}\n" for row in rows))
    print(f"{len(rows):,} of {len(measured):,} public rows have a known sequence")
