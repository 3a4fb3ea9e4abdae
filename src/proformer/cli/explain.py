"""Verbs that show what trained models have learnt."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from proformer.cli.options import CpuThreads, Device, Known, load_model, one_of
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder
from proformer.settings import Attribution, Count, CountOrZero, Share

if TYPE_CHECKING:
    from proformer.explain.meme import Motifs
    from proformer.predict import Predictor

Tasks = Annotated[tuple[str, ...], "names of the tasks (default: all)"]


def explain(
    *,
    model: Annotated[InputFolder, "model folder"],
    sequences: Annotated[Path, "file of sequences, or store"],
    out: Annotated[Output, "store of the scores (NAME.safetensors)"],
    method: Annotated[Attribution, "how"] = "ism",
    tasks: Tasks = (),
    logos: Annotated[OutputFolder | None, "folder for a logo of each of the first sequences"] = None,
    first: Annotated[CountOrZero, "sequences that have a logo"] = 10,
    trimmed: Annotated[bool, "the sequences come without the constant flanks"] = False,
    device: Device = "auto",
    threads: CpuThreads = None,
) -> None:
    """Say what each letter of each sequence contributes to its prediction.

    examples:
      proformer explain --model model --sequences promoters.txt --out scores.safetensors
      proformer explain --model model --sequences peaks.fa --method integrated --out scores.safetensors --logos logos

    ism: the change of the prediction by every single change of a letter, exactly. gradient, smoothgrad, integrated: by
    gradients, which models have that look letters up. deeplift: for models of linear layers and activations alone. The
    store has codes uint8 [N, L] (A 0, C 1, G 2, T 3, N 4) and scores float32 [N, T, L, 4]; a letter contributes its
    score less the mean of all four.
    """
    from proformer.explain.attribution import attribute_file

    count = attribute_file(load_model(model, device, threads), sequences, out, method, tasks, trimmed)
    print(f"{count:,} sequences in {out}")
    if logos:
        from proformer.figures.logos import draw_store

        draw_store(out, logos, first)


def variants(
    *,
    model: Annotated[tuple[InputFolder, ...], "model folders: several are seeds, whose effects are averaged"],
    vcf: Annotated[Path | None, "variants, plain or gz; with --genome"] = None,
    genome: Annotated[Path | None, "FASTA, plain or gz"] = None,
    table: Annotated[Path | None, "TSV with sequence, position (from 1), alternative; perhaps reference, name"] = None,
    out: Annotated[Output, "table to write: a row per variant, alternative and task"],
    tasks: Tasks = (),
    effect: Annotated[
        Literal["difference", "log2"],
        "alternative less reference, or log2 of the ratio of coverage, reads or probabilities",
    ] = "difference",
    drop: Annotated[bool, "leave out, and count, variants that cannot be predicted"] = False,
    trimmed: Annotated[bool, "sequences of the table come without the constant flanks"] = False,
    device: Device = "auto",
    threads: CpuThreads = None,
) -> None:
    """Predict what variants do.

    examples:
      proformer variants --model model --vcf variants.vcf.gz --genome genome.fa --out effects.tsv
      proformer variants --model results/models/…seed~1 results/models/…seed~2 --table changes.tsv --out effects.tsv

    The window of the model's length has the variant's first base in its middle. Insertions and deletions move what is
    behind them. Variants that cannot be predicted are those whose reference is not the genome's, whose contig or
    position is not there, and alleles that are no letters.
    """
    import numpy as np

    from proformer.explain import variants as found
    from proformer.explain.attribution import Attributor

    one_of(required=True, vcf=vcf, table=table)
    if (vcf is None) != (genome is None):
        raise InputError(f"--genome: found {genome or 'none'}, expected a FASTA file with --vcf, and only with it")
    models = [Attributor(load_model(folder, device, threads), tasks) for folder in model]
    found.check_models(models, model, effect)
    checks = found.Checks(vcf or table, drop)  # type: ignore[arg-type]
    predictor = models[0].predictor
    if vcf and genome:
        with found.genome_of(genome, out) as opened:
            blocks = found.read_vcf(vcf, opened, predictor.layout.length, checks)
            count = found.write_effects(models, blocks, out, checks, effect)
    else:

        def encoded(texts: list[str]) -> np.ndarray:
            return predictor.codes(texts, trimmed)

        blocks = found.read_changes(checks.path, encoded, checks)
        count = found.write_effects(models, blocks, out, checks, effect)
    print(f"{count:,} variants in {out}")
    for reason, number in checks.dropped.items():
        print(f"{number:,} left out: {reason}", file=sys.stderr)


def intervals(
    *,
    predictions: Annotated[tuple[Path, ...], "tables of `proformer predict`: several are seeds, which are averaged"],
    calibration: Annotated[tuple[Path, ...], "their predictions of measured sequences that none was trained on"],
    measured: Annotated[Path, "the measurements of these, in the same order"],
    coverage: Annotated[Share, "share of the values that intervals are to hold"] = 0.9,
    width: Annotated[
        Literal["constant", "spread", "local"],
        "the same for all, or by the models' spread, or by errors of calibration rows with near predictions",
    ] = "constant",
    out: Annotated[Output, "table to write: name, sequence, prediction, sd, low, high"],
) -> None:
    """Average models, and say how sure they are: intervals that hold a share of the measured values.

    examples:
      proformer intervals --predictions a1.tsv a2.tsv --calibration v1.tsv v2.tsv --measured validation.txt --out i.tsv

    The share is that of values measured as those of the calibration were; of sequences of another kind it may be less.
    """
    from proformer.explain.certainty import interval_table
    from proformer.files import write_table

    table = interval_table(predictions, calibration, measured, coverage, width)
    write_table(out, table)
    print(f"{len(table):,} intervals in {out}")


def explain_models(
    *,
    models: Annotated[tuple[InputFolder, ...], "model folders of one data set"],
    names: Annotated[tuple[str, ...], "RUN:SEED of each"],
    sequences: Annotated[Path, "store that none of them was trained on"],
    settings: Annotated[str | Path, "YAML: see proformer.explain.study.Study"] = "{}",
    known: Known = None,
    simulated: Annotated[bool, "simulated promoters: the simulator answers the same questions"] = False,
    out: Annotated[OutputFolder, "folder of the tables"],
    threads: CpuThreads = None,
    device: Device = "auto",
) -> None:
    """Make the report's tables of what models have learnt: attribution, motifs, importance, design.

    examples:
      proformer explain-models --models results/models/dataset~dream/… --names final:1 --out explain \\
          --sequences validation.safetensors --settings '{sequences: 50, patterns: [TTACCCG]}'
    """
    from proformer.cli.options import read_yaml
    from proformer.explain import study
    from proformer.files import write_table
    from proformer.settings import read

    plan = read(study.Study, read_yaml(settings, "--settings"), "--settings")
    loaded = _loaded(models, names, device, threads)
    tables = study.study(loaded, study.middles(sequences, loaded.values()), plan, _known(known, simulated), simulated)
    for name, table in tables.items():
        write_table(out / f"{name}.tsv", table)
    print(tables["attribution"].to_string(index=False, na_rep="", float_format="%.3f"))


def explain_patterns(
    *,
    models: Annotated[tuple[InputFolder, ...], "model folders of one data set"],
    names: Annotated[tuple[str, ...], "RUN:SEED of each"],
    sequences: Annotated[Path, "store that none of them was trained on"],
    first: Annotated[Count, "sequences whose scores are searched"] = 1000,
    known: Known = None,
    simulated: Annotated[bool, "simulated promoters, whose motifs are known"] = False,
    out: Annotated[Output, "page to write"],
    threads: CpuThreads = None,
    device: Device = "auto",
) -> None:
    """Make the report's page of the patterns that models attend to, found by TF-MoDISco (make explain).

    examples:
      proformer explain-patterns --models results/models/dataset~dream/… --names final:1 --out patterns.html \\
          --sequences validation.safetensors --known yetfasco_all.meme
    """
    from proformer.explain.patterns import pattern_tables
    from proformer.explain.study import middles
    from proformer.figures import explain, style
    from proformer.files import write_text
    from proformer.tables import to_page

    loaded = _loaded(models, names, device, threads)
    tables = pattern_tables(loaded, middles(sequences, loaded.values(), first), _known(known, simulated))
    counts = tables["filters"]
    logos = style.inline(explain.motifs(tables["filter_logos"])[0]) if "filter_logos" in tables else ""
    seen = [f"Models {explain.trained_on(counts)}."] if explain.trained_on(counts) else []
    notes = seen + [f"{row.run}, seed {row.seed}: {row.note}" for row in counts[counts["filters"] == 0].itertuples()]
    shown = tables.get("motifs", counts).rename(columns={"filter": "pattern", "sites": "stretches"})
    write_text(out, to_page(shown, "Patterns that models attend to (TF-MoDISco)", notes, picture=logos))
    print(counts.to_string(index=False, na_rep="", float_format="%.3g"))


def _loaded(
    models: tuple[InputFolder, ...], names: tuple[str, ...], device: Device, threads: CpuThreads
) -> "dict[tuple[str, str], Predictor]":
    from proformer.explain.study import checked_names

    pairs = checked_names(names, models)
    return {name: load_model(folder, device, threads) for name, folder in zip(pairs, models, strict=True)}


def _known(known: Path | None, simulated: bool) -> "Motifs":
    from proformer.explain.meme import known_motifs
    from proformer.explain.truth import planted_motifs

    return known_motifs(known) if known else planted_motifs() if simulated else {}


def explain_scored(
    *,
    predictions: Annotated[tuple[Path, ...], "predictions of the DREAM test set"],
    names: Annotated[tuple[str, ...], "RUN:SEED of each"],
    truth: Annotated[Path, "sequence<TAB>measured value"],
    subsets: Annotated[tuple[InputFolder, ...], "test_subset_ids: folder, or CSV files"],
    leaderboard: Annotated[tuple[InputFolder, ...], "public_leaderboard_ids: folder, or JSON files"],
    drift: Annotated[Path | None, "measured mutants of Vaishnav et al., which --models predict"] = None,
    models: Annotated[tuple[InputFolder, ...], "model folders, in the order of the predictions"] = (),
    out: Annotated[OutputFolder, "folder for coverage.tsv and effects.tsv"],
    threads: CpuThreads = None,
    device: Device = "auto",
) -> None:
    """Make the report's tables of how sure models are of the DREAM test set, and of effects of its variants.

    examples:
      proformer explain-scored --predictions a.tsv b.tsv --names final:1 final:2 --truth t.txt --subsets s \\
          --leaderboard l --out explain
    """
    from proformer.explain.certainty import scored_tables
    from proformer.explain.study import checked_names
    from proformer.files import write_table

    if bool(drift) != bool(models):
        raise InputError(f"--drift: found {drift or 'none'} and {len(models)} --models, expected both or neither")
    files = dict(zip(checked_names(names, predictions), predictions, strict=True))
    loaded = _loaded(models, names, device, threads) if models else None
    for name, table in scored_tables(files, truth, subsets, leaderboard, drift, loaded).items():
        write_table(out / f"{name}.tsv", table)
        print(table.head(12).to_string(index=False, float_format="%.3f"))
