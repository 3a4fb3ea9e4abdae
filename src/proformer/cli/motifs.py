"""Verbs that show which motifs trained models have learnt, and what they do."""

from pathlib import Path
from typing import Annotated, Literal

from proformer.cli.options import CpuThreads, Device, Known, load_model
from proformer.errors import InputError
from proformer.files import InputFolder, Output
from proformer.settings import Count, CountOrZero, Designer, Expression, Goal, Null, Pair, Pattern


def motifs(
    *,
    model: Annotated[InputFolder, "model folder"],
    sequences: Annotated[Path, "file of sequences, or store"],
    method: Annotated[Literal["filters", "modisco"], "motifs of the first layer, or of stretches of high scores"] = (
        "filters"
    ),
    known: Known = None,
    out: Annotated[Output, "table to write: a row per motif, and the known motif that is nearest"],
    meme: Annotated[Output | None, "MEME file of the motifs to write"] = None,
    trimmed: Annotated[bool, "the sequences come without the constant flanks"] = False,
    device: Device = "auto",
    threads: CpuThreads = None,
) -> None:
    """Say which motifs a model has learnt: those of its first layer, or those that it attends to.

    examples:
      proformer motifs --model model --sequences promoters.txt --out filters.tsv --meme filters.meme
      proformer motifs --model model --sequences promoters.txt --known yetfasco_all.meme --out filters.tsv
      proformer motifs --model model --sequences promoters.txt --method modisco --out patterns.tsv    (make explain)

    A filter's motif is the mean of the sequence where its activation is above half of the largest one; modisco gathers
    stretches of high scores of in-silico mutagenesis (first task). Known motifs are compared as Tomtom does, on both
    strands: p of the best alignment, E over the known motifs, q after Benjamini and Hochberg.
    """
    from proformer.explain.filters import motif_table, motifs_of
    from proformer.explain.meme import known_motifs, write_meme
    from proformer.explain.patterns import patterns_of
    from proformer.files import write_table

    predictor = load_model(model, device, threads)
    codes = predictor.codes(sequences, trimmed)
    motifs, sites = (motifs_of if method == "filters" else patterns_of)(predictor, codes)
    table, found = motif_table(motifs, sites, known_motifs(known) if known else {})
    write_table(out, table)
    if meme:
        write_meme(meme, found, sites)
    print(table.head(20).to_string(index=False, na_rep="", float_format="%.3g"))


def importance(
    *,
    model: Annotated[InputFolder, "model folder"],
    sequences: Annotated[Path, "file of sequences, or store, of which backgrounds are made"],
    patterns: Annotated[
        tuple[Pattern, ...], "whose importance is measured, at every position and in 1 to 4 copies"
    ] = (),
    every: Annotated[Count, "nt between positions"] = 5,
    flanks: Annotated[Pattern | None, "pattern whose dots take all letters, such as ..TGACTCA.."] = None,
    pair: Annotated[Pair | None, "two patterns, at all distances"] = None,
    occlude: Annotated[Expression | None, "regular expression, whose matches are filled with random letters"] = None,
    null: Annotated[tuple[Null, ...], "how backgrounds are made: one way or several"] = ("dinucleotide",),
    backgrounds: Annotated[Count, "how many"] = 1000,
    trimmed: Annotated[bool, "the sequences come without the constant flanks"] = False,
    out: Annotated[Output, "table to write"],
    device: Device = "auto",
    threads: CpuThreads = None,
) -> None:
    """Measure what patterns do to predictions on average (global importance analysis).

    examples:
      proformer importance --model model --sequences promoters.txt --patterns TTACCCG --out importance.tsv
      proformer importance --model model --sequences peaks.fa --flanks ..TGACTCA.. --pair TGACTCA TGACTCA --out i.tsv

    Backgrounds: each sequence shuffled so that it keeps its pairs of letters (dinucleotide) or its letters
    (mononucleotide), letters drawn by their share at each position (profile), or the sequences as they are (none).
    """

    from proformer.explain import study
    from proformer.explain.attribution import Attributor
    from proformer.files import write_table

    predictor = load_model(model, device, threads)
    codes = predictor.codes(sequences, trimmed)
    plan = study.Study(null=null, backgrounds=backgrounds, patterns=patterns, every=every, flanks=flanks, pair=pair,
                       occlude=occlude)  # fmt: skip
    attributor = Attributor(predictor)
    table = study.importance(attributor.predict, study.whole_sequences(codes), codes, plan, attributor.tasks)
    if not table["n"].all():
        raise InputError(f"--occlude: found no match of {occlude} in {len(codes):,} sequences, expected some")
    write_table(out, table)
    print(f"{len(table):,} rows in {out}")


def design(
    *,
    model: Annotated[InputFolder, "model folder"],
    sequences: Annotated[Path, "file of sequences, or store, to begin with"],
    goal: Annotated[Goal, "max, min, or a prediction"] = "max",
    edits: Annotated[Count, "most letters to change in a sequence"] = 5,
    method: Annotated[Designer, "how"] = "greedy",
    tasks: Annotated[tuple[str, ...], "the task that is designed for (default: the first)"] = (),
    seed: Annotated[CountOrZero, "of evolution and ledidi"] = 0,
    trimmed: Annotated[bool, "the sequences come without the constant flanks"] = False,
    out: Annotated[Output, "table to write: a row per sequence and step"],
    device: Device = "auto",
    threads: CpuThreads = None,
) -> None:
    """Change sequences until a model predicts what is wanted.

    examples:
      proformer design --model model --sequences promoters.txt --goal max --edits 6 --out designs.tsv
      proformer design --model model --sequences promoters.txt --goal 12.5 --method evolution --out designs.tsv

    greedy: the best of all single changes, again and again. evolution: mutations and crossovers of each sequence's own
    population. ledidi (make explain): letters drawn by weights that follow the gradient. What a model predicts of its
    own designs is too good: measure them, or ask another model.
    """
    from proformer.explain.attribution import Attributor
    from proformer.explain.design import design_table, designed
    from proformer.files import write_table

    if len(tasks) > 1:
        raise InputError(f"--tasks: found {', '.join(tasks)}, expected one task to design for")
    predictor = load_model(model, device, threads)
    attributor = Attributor(predictor, tasks or predictor.task.names[:1])
    codes = predictor.codes(sequences, trimmed)
    steps = designed(method, attributor, codes, goal, edits, seed)
    table = design_table(steps, lambda codes: attributor.predict(codes)[:, 0])
    write_table(out, table)
    ends = table[table["step"] == len(steps) - 1]["predicted"].mean()
    print(f"{len(codes):,} sequences, predicted on average {table['predicted'][: len(codes)].mean():.4g} → {ends:.4g}")
