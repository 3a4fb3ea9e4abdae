"""Verbs that show what trained models have learnt."""

import sys
from pathlib import Path
from typing import Annotated, Literal

from proformer.cli.options import CpuThreads, Device, one_of
from proformer.errors import InputError
from proformer.files import InputFolder, Output, OutputFolder
from proformer.settings import CountOrZero

Tasks = Annotated[tuple[str, ...], "names of the tasks (default: all)"]


def explain(
    *,
    model: Annotated[InputFolder, "model folder"],
    sequences: Annotated[Path, "file of sequences, or store"],
    out: Annotated[Output, "store of the scores (NAME.safetensors)"],
    method: Annotated[Literal["ism", "gradient", "smoothgrad", "integrated"], "how"] = "ism",
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
    gradients, which models have that look letters up. The store has codes uint8 [N, L] (A 0, C 1, G 2, T 3, N 4) and
    scores float32 [N, T, L, 4]; a letter contributes its score less the mean of all four.
    """
    from proformer.explain.attribution import attribute_file
    from proformer.predict import load
    from proformer.training.device import choose_device, set_up

    set_up(choose_device(device), threads, None)
    count = attribute_file(load(model, device), sequences, out, method, tasks, trimmed)
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
        Literal["difference", "log2"], "alternative less reference, or log2 of their ratio"
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
    from proformer.predict import load
    from proformer.training.device import choose_device, set_up

    one_of(required=True, vcf=vcf, table=table)
    if (vcf is None) != (genome is None):
        raise InputError(f"--genome: found {genome or 'none'}, expected a FASTA file with --vcf, and only with it")
    set_up(choose_device(device), threads, None)
    models = [Attributor(load(folder, device), tasks) for folder in model]
    found.same_tasks(models, model)
    checks = found.Checks(vcf or table, drop)  # type: ignore[arg-type]
    predictor = models[0].predictor
    if vcf and genome:
        with found.genome_of(genome, out) as opened:
            blocks = found.read_vcf(vcf, opened, predictor.layout.length, checks)
            count = found.write_effects(models, blocks, out, effect)
    else:

        def encoded(texts: list[str]) -> np.ndarray:
            return np.concatenate([codes for codes, _ in predictor.read(texts, trimmed)])

        count = found.write_effects(models, found.read_changes(table, encoded, checks), out, effect)  # type: ignore[arg-type]
    print(f"{count:,} variants in {out}")
    for reason, number in checks.dropped.items():
        print(f"{number:,} left out: {reason}", file=sys.stderr)
