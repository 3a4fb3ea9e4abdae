"""What is fuzzed: verbs with small files that they take."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import product
from pathlib import Path

import pandas as pd
import pysam

from proformer.cli import main
from proformer.evaluation.prix_fixe import ROLES

FLANKS = "--flanks TGCATTTTTTTCACATC GGTTACGGCTGTT"
CONFIG = "{model: {dim: 8, heads: 2, blocks: 1, kmer: 3}, training: {epochs: 1, batch_size: 64}}"
CATALOGUE = """sources:
  one: {title: t, licence: l, citation: c, address: 'https://example.org/a.txt', size: 4,
        md5: 098f6bcd4621d373cade4e832627b4f6}
"""
OWN = """demo: false
datasets: {mine: {train: train.txt, flanks: [TGCATTTTTTTCACATC, GGTTACGGCTGTT], too_long: drop}}
runs: {x: {model: proformer, datasets: [mine], keys: {dim: 8, heads: 2, blocks: 1, kmer: 3}}}
"""
SETTINGS = {  # models small enough to be trained by the hundred
    "proformer": {"model": "proformer", "dim": 8, "heads": 2, "blocks": 1, "kmer": 3, "expression_heads": 2},
    "legnet": {"model": "legnet", "widths": [8, 8]},
    "danq": {"model": "danq", "filters": 4, "units": 2, "dense": [4], "kernel": 6, "window": 80},
    "deepsea": {"model": "deepsea", "filters": [4, 4, 4], "dense": [4]},
    "kmers": {"model": "kmers"},
}
TRAINING = '{"model": {"dim": 8}, "training": {"epochs": 1}}'
PROFILE = """{model: {model: basenji, filters: 4, wide: 4, blocks: 1, length: 448, bin: 32},
 training: {shift: 64, epochs: 1, batch_size: 8, keep: last}}"""
MEME = "MEME version 4\n\nMOTIF Reb1\nletter-probability matrix:\n" + "0.1 0.7 0.1 0.1\n" * 6
FIGURES = "{means: {draw: grid, tables: [grid.tsv], where: {dataset: dream}, caption: Means}}"
STUDY = """{sequences: 2, methods: [gradient], patterns: [TTACCCG], backgrounds: 2, every: 60, designs: 1, edits: 1,
 logos: 1}"""
TILES = "{window: 512, bin: 32}"
JUDGED = "{bins: [32, 64], thresholds: [0], shifts: 2, shifted_windows: 4}"
LABELS = "{window: 512, rows: peaks, kind: binary, merge: 64}"
JOBS = f'[{{"path": "a/b", "run": "b", "dataset": "a", "seed": 1, "config": {TRAINING}}}]'


@dataclass(frozen=True)
class Case:
    """A command line; `inputs` are damaged one at a time. `outputs`: patterns, all with files afterwards, or none."""

    words: str
    inputs: Sequence[str]
    outputs: Sequence[str] = ()


CASES = {
    "prepare": Case(
        f"prepare --sequences train.txt --out o.st --counts o.tsv {FLANKS} --too-long drop",
        ["train.txt"],
        ["o.st", "o.tsv"],
    ),
    "prepare gz": Case(f"prepare --sequences train.gz --out o.st {FLANKS} --too-long drop", ["train.gz"], ["o.st"]),
    "prepare csv": Case(
        f"prepare --sequences Native.csv --out o.st {FLANKS} --wrong-flank partial", ["Native.csv"], ["o.st"]
    ),
    "split": Case("split --store all.st --out o1.st o2.st --fractions 0.8 0.2", ["all.st"], ["o1.st", "o2.st"]),
    "split file": Case("split --store all.st --out o1.st o2.st --parts parts.txt", ["parts.txt"], ["o1.st", "o2.st"]),
    "measured": Case(
        "measured --file Drift.csv --name d --out o.tsv --sequences o.txt", ["Drift.csv"], ["o.tsv", "o.txt"]
    ),
    "nearest": Case("nearest --store all.st --sequences test.txt --out o.tsv", ["all.st", "test.txt"], ["o.tsv"]),
    "predict": Case(
        "predict --model m --sequences test.txt --out o.tsv --threads 1 --device cpu",
        ["test.txt", "m/model.json", "m/model.safetensors"],
        ["o.tsv"],
    ),
    "predict fasta": Case(
        "predict --model m --sequences test.fa --out o.tsv --threads 1 --device cpu", ["test.fa"], ["o.tsv"]
    ),
    "evaluate": Case(
        "evaluate --predictions predictions.tsv --truth truth.txt --out o.tsv",
        ["predictions.tsv", "truth.txt"],
        ["o.tsv"],
    ),
    "score": Case(
        "score --predictions truth.txt --truth truth.txt --subsets subsets --leaderboard leaderboard --samples 10"
        " --threads 1 --out o.tsv",
        ["truth.txt", "subsets/yeast_seqs.csv", "subsets/all_SNVs_seqs.csv", "leaderboard/ground.json"],
        ["o.tsv"],
    ),
    "submission": Case(
        "score --predictions rows.json --subsets subsets --leaderboard leaderboard --part public --samples 0"
        " --out o.tsv",
        ["rows.json", "leaderboard/ground.json"],
        ["o.tsv"],
    ),
    "train": Case(
        "train --config config.yaml --train tr.st --validation va.st --out o --threads 1 --device cpu",
        ["config.yaml", "tr.st", "va.st"],
        ["o/model.safetensors", "o/model.json", "o/metrics.tsv"],
    ),
    "join": Case("join --tables predictions.tsv predictions.tsv --out o.tsv", ["predictions.tsv"], ["o.tsv"]),
    "fetch": Case(
        "fetch one --catalogue catalogue.yaml --mirror mirror --out o --attempts 1 --timeout 1",
        ["catalogue.yaml", "mirror/example.org/a.txt"],
        ["o/a.txt"],
    ),
    "status": Case("status --results results --json", ["results/jobs.json"]),
    "status run": Case(
        "status --results run --json",
        [*(f"run/models/a/b/{name}" for name in ("model.json", "metrics.tsv")), "run/costs.json", "run/jobs.json"],
    ),
    "compare": Case(
        "compare --results run --out o.tsv --epochs o2.tsv",
        [f"run/models/a/b/{name}" for name in ("model.json", "metrics.tsv", "SHA256SUMS")],
        ["o.tsv", "o2.tsv"],
    ),
    "plan": Case("plan --configfile own.yaml --rate 100", ["own.yaml", "train.txt"]),
    "models": Case("models", []),
    "config": Case("config model:legnet", []),
    "train-pack": Case(
        "train-pack --jobs pack.yaml --train tr.st --validation va.st --results res --threads 1 --device cpu",
        ["pack.yaml", "tr.st"],  # damaged settings may lack one of the models, or name it otherwise
        ["res/models/*/model.safetensors"],
    ),
    "collect": Case(
        "collect --dataset a --models m --sequences va.st --grid o.tsv --epochs o2.tsv",
        ["m/model.json", "m/metrics.tsv", "va.st"],
        ["o.tsv", "o2.tsv"],
    ),
    "test-grid": Case(
        "test-grid --grid grid.tsv --tests o.tsv --means o2.tsv --spread o3.tsv",
        ["grid.tsv"],
        ["o.tsv", "o2.tsv", "o3.tsv"],
    ),
    "report-card": Case("report-card --run grid.tsv --out o.tsv --html o.html", ["grid.tsv"], ["o.tsv", "o.html"]),
    "pages": Case("pages --captions captions.yaml --tables . --out o", ["captions.yaml", "grid.tsv"], ["o/grid.html"]),
    "describe": Case("describe --config model.yaml --out o.json", ["model.yaml"], ["o.json"]),
    "extract": Case("extract --table table.csv --column b --out o.txt", ["table.csv"], ["o.txt"]),
    "public-test": Case(
        "public-test --subsets subsets --leaderboard leaderboard --out o.txt",
        ["subsets/yeast_seqs.csv", "leaderboard/ground.json"],
    ),
    "peers": Case(
        "peers --table drift.tsv --predictions x:1=drift_predicted.tsv --samples 10 --out o.tsv --tests o2.tsv",
        ["drift.tsv", "drift_predicted.tsv"],
        ["o.tsv", "o2.tsv"],
    ),
    "simulate": Case("simulate --out o --train 20 --test 100 --gzip", [], ["o/simulator.json"]),
    "explain": Case(
        "explain --model m --sequences few.txt --method gradient --out o.safetensors --device cpu --threads 1",
        ["few.txt"],
        ["o.safetensors"],
    ),
    "variants": Case(
        "variants --model m m --vcf v.vcf --genome g.fa --out o.tsv --device cpu --threads 1",
        ["v.vcf", "g.fa"],
        ["o.tsv"],
    ),
    "variants table": Case(
        "variants --model m --table changes.tsv --out o.tsv --drop --device cpu --threads 1", ["changes.tsv"], ["o.tsv"]
    ),
    "motifs": Case(
        "motifs --model m --sequences few.txt --known known.meme --out o.tsv --meme o.meme --device cpu --threads 1",
        ["known.meme"],
        ["o.tsv", "o.meme"],
    ),
    "importance": Case(
        "importance --model m --sequences few.txt --patterns TTACCCG --every 40 --backgrounds 4 --out o.tsv"
        " --device cpu --threads 1",
        ["few.txt"],
        ["o.tsv"],
    ),
    "design": Case(
        "design --model m --sequences few.txt --edits 1 --out o.tsv --device cpu --threads 1", ["few.txt"], ["o.tsv"]
    ),
    "intervals": Case(
        "intervals --predictions predictions.tsv --calibration predictions.tsv --measured truth.txt --out o.tsv",
        ["predictions.tsv", "truth.txt"],
        ["o.tsv"],
    ),
    "explain-models": Case(
        "explain-models --models m --names x:1 --sequences va.st --settings study.yaml --known known.meme --out o"
        " --device cpu --threads 1",
        ["known.meme", "va.st", "study.yaml"],
        ["o/attribution.tsv"],
    ),
    "explain-scored": Case(
        "explain-scored --predictions predictions.tsv --names x:1 --truth truth.txt --subsets subsets"
        " --leaderboard leaderboard --out o",
        ["predictions.tsv", "truth.txt", "subsets/all_SNVs_seqs.csv"],
        ["o/coverage.tsv", "o/effects.tsv"],
    ),
    "coverage": Case(
        "coverage --genome c.fa --tracks a=cell1.bw --peaks a=cell1.bed --gaps gaps.bed --plan tiles.yaml --out o.st"
        " --counts o.tsv",
        ["c.fa", "c.fa.fai", "cell1.bw", "cell1.bed", "gaps.bed", "tiles.yaml"],
        ["o.st", "o.tsv"],
    ),
    "coverage labels": Case(
        "coverage --genome c.fa --peaks a=cell1.bed b=cell2.bed --plan labels.yaml --out o.st",
        ["cell1.bed", "labels.yaml"],
        ["o.st"],
    ),
    "nonpeaks": Case(
        "nonpeaks --genome c.fa --peaks cell1.bed --blacklist gaps.bed --window 512 --out o.bed --counts o.tsv",
        ["cell1.bed", "gaps.bed"],
        ["o.bed", "o.tsv"],
    ),
    "profiles": Case(
        "profiles --models profiled --test cva.st --settings judged.yaml --out o --html o.html --threads 1",
        ["cva.st", "profiled/model.json", "judged.yaml"],
        ["o/scores.tsv", "o.html"],
    ),
    "prix-fixe": Case(
        "prix-fixe --grid blocks.tsv --epochs epochs.tsv --out o.tsv --tests o2.tsv --importance o3.tsv --card o4.tsv"
        " --html o.html",
        ["blocks.tsv", "epochs.tsv"],
        ["o.tsv", "o2.tsv", "o3.tsv", "o4.tsv", "o.html"],
    ),
    "draw": Case("draw --figures figures.yaml --out o", ["figures.yaml", "grid.tsv"], ["o/*.png", "o/*.tsv"]),
    "genome": Case("atac genome --genome source.fa --out o.fa --table o.tsv", ["source.fa"], ["o.fa", "o.tsv"]),
    "check": Case("atac check --reads A_1.gz A_2.gz --sample A --out o.tsv", ["A_1.gz", "A_2.gz"], ["o.tsv"]),
    "fragments": Case(
        "atac fragments --fragments f.bed --genome g.fa --blacklist blacklist.bed --sample A --out o.gz --counts o.tsv",
        ["f.bed", "g.fa.fai", "blacklist.bed"],
        ["o.gz", "o.tsv"],
    ),
    "bam": Case(
        "atac fragments --bam in.bam --genome g.fa --sample A --out o.gz --counts o.tsv", ["in.bam"], ["o.gz", "o.tsv"]
    ),
    "pool": Case("atac pool --fragments f.gz f.gz --out o.gz", ["f.gz"], ["o.gz"]),
    "lengths": Case("atac lengths --fragments f.gz --samples A --out o.tsv", ["f.gz"], ["o.tsv"]),
    "signal": Case("atac signal --fragments f.gz --genome g.fa --out o.bw", ["f.gz", "g.fa.fai"], ["o.bw"]),
    "windows": Case(
        "atac windows --peaks regions.bed --signal s.bw --genome g.fa --number 50 --out o.st",
        ["regions.bed", "s.bw", "g.fa.fai"],
        ["o.st"],
    ),
    "quality": Case(
        "atac quality --fragments f.gz --samples A --pooled f.gz --peaks regions.bed --signal s.bw --windows w.st"
        " --genome g.fa --annotation tss.bed --regions regions.bed --out o",
        ["tss.bed", "w.st", "f.gz"],
        ["o/profile.tsv", "o/frip.tsv"],
    ),
}


def write_inputs(folder: Path) -> None:
    """Whole files for all cases, in the working folder, which is `folder`."""

    def run(words: str) -> None:
        assert main(words.split()) == 0, words

    run("simulate --out . --train 150 --test 100")
    run("simulate-vaishnav --out . --native 20 --random 20 --drift 20")
    run("simulate-atac --out . --genome-size 60000 --pairs 1500 --libraries 1")
    renamed = {
        "train_sequences.txt": "train.txt", "filtered_test_data_with_MAUDE_expression.txt": "truth.txt",
        "test_sequences.txt": "test.txt", "All_promoter_fragments_Native.csv": "Native.csv",
        "Drift_testdata.csv": "Drift.csv", "test_subset_ids": "subsets", "public_leaderboard_ids": "leaderboard",
        "genome.fa": "source.fa", "A_1.fastq.gz": "A_1.gz", "A_2.fastq.gz": "A_2.gz",
    }  # fmt: skip
    for old, new in renamed.items():
        (folder / old).rename(folder / new)
    rows = (folder / "train.txt").read_bytes()
    (folder / "train.gz").write_bytes(gzip.compress(rows))
    names = [line.split("\t")[0] for line in (folder / "test.txt").read_text().splitlines()]
    (folder / "test.fa").write_text("".join(f">{i}\n{name}\n" for i, name in enumerate(names)))
    run(f"prepare --sequences train.txt --out all.st {FLANKS} --too-long drop")
    run("split --store all.st --out tr.st va.st --fractions 0.7 0.3")
    (folder / "parts.txt").write_text("0\n1\n" * (len(rows.splitlines()) // 2))
    (folder / "config.yaml").write_text(CONFIG)
    run("train --config config.yaml --train tr.st --validation va.st --out m --threads 1 --device cpu")
    run("predict --model m --sequences test.txt --out predictions.tsv --threads 1 --device cpu")
    run("measured --file Drift.csv --name d --out drift.tsv --sequences drift.txt")
    run("predict --model m --sequences drift.txt --out drift_predicted.tsv --threads 1 --device cpu")
    shutil.copytree(folder / "m", folder / "run/models/a/b")
    (folder / "run/jobs.json").write_text(JOBS)
    (folder / "run/costs.json").write_text("{}")
    (folder / "own.yaml").write_text(OWN)
    (folder / "pack.yaml").write_text(f"x: {CONFIG}\ny: {CONFIG.replace('dim: 8', 'dim: 4')}\n")
    (folder / "model.yaml").write_text("{dim: 8, heads: 2, blocks: 1, kmer: 3}")
    (folder / "table.csv").write_text("sequence,a,b\n" + "".join(f"{name[17:-13]},1,2.5\n" for name in names[:20]))
    (folder / "captions.yaml").write_text("{grid: The grid}")
    shutil.copy(resources.files("proformer.evaluation") / "published/grid.tsv", folder / "grid.tsv")
    (folder / "catalogue.yaml").write_text(CATALOGUE)
    (folder / "mirror/example.org").mkdir(parents=True)
    (folder / "mirror/example.org/a.txt").write_text("test")
    values = [line.split("\t")[1] for line in (folder / "truth.txt").read_text().splitlines()]
    (folder / "rows.json").write_text("{" + ", ".join(f'"{row}": {value}' for row, value in enumerate(values)) + "}")
    (folder / "results").mkdir()
    (folder / "results/jobs.json").write_text(JOBS)
    run("atac genome --genome source.fa --out g.fa --table g.tsv")
    write_explained(folder)
    settings = {"study": STUDY, "tiles": TILES, "labels": LABELS, "judged": JUDGED, "profile": PROFILE}
    for name, text in settings.items():
        (folder / f"{name}.yaml").write_text(text)
    run("simulate-coverage --out . --genome-size 60000 --cells 2")
    run("atac genome --genome genome.fa --out c.fa --table c.tsv")
    run("coverage --genome c.fa --tracks a=cell1.bw --peaks a=cell1.bed --plan tiles.yaml --out coverage.st")
    run("split --store coverage.st --out ctr.st cva.st --fractions 0.7 0.3")
    run("train --config profile.yaml --train ctr.st --validation cva.st --out profiled --threads 1 --device cpu")
    truth = pd.read_csv(folder / "fragments.tsv.gz", sep="\t")
    truth = truth[truth["origin"].isin(["region", "background"])][["contig", "start", "end"]]
    truth.to_csv(folder / "f.bed", sep="\t", header=False, index=False)
    run("atac fragments --fragments f.bed --genome g.fa --sample A --out f.gz --counts f.tsv")
    run("atac signal --fragments f.gz --genome g.fa --out s.bw")
    run("atac windows --peaks regions.bed --signal s.bw --genome g.fa --number 50 --out w.st")
    _write_bam(folder / "in.bam", truth[:50], folder / "g.fa")


def write_explained(folder: Path) -> None:
    """Files of the verbs that explain models, and of those that compare combinations of blocks."""
    names = [line.split("\t")[0] for line in (folder / "test.txt").read_text().splitlines()[:6]]
    (folder / "few.txt").write_text("".join(f"{name}\n" for name in names))
    (folder / "changes.tsv").write_text(
        "sequence\tposition\talternative\tname\n" + "".join(f"{name}\t30\tA\tx\n" for name in names)
    )
    (folder / "known.meme").write_text(MEME)
    (folder / "figures.yaml").write_text(FIGURES)
    with pysam.FastaFile(str(folder / "g.fa")) as fasta:
        contig = fasta.references[0]
        rows = [f"{contig}\t{at}\t.\t{fasta.fetch(contig, at - 1, at)}\tA,CC\n" for at in (5, 200, 301)]
    (folder / "v.vcf").write_text("##fileformat=VCFv4.2\n" + "".join(rows))
    keys = ["dataset", "run", *ROLES, "seed"]
    blocks = [["dream", "x", *names, "1"] for names in product(("autosome", "bhi"), repeat=4)]
    for name, columns, values in (
        ("blocks.tsv", ["parameters", "r", "best_epoch", "epochs"], ["100", "0.5", "2", "2"]),
        ("epochs.tsv", ["epoch", "validation_r"], ["1", "0.5"]),
    ):
        lines = ["\t".join([*row, *more]) for row, more in [(keys, columns), *((row, values) for row in blocks)]]
        (folder / name).write_text("\n".join(lines) + "\n")


def _write_bam(path: Path, fragments: pd.DataFrame, genome: Path) -> None:
    """Proper pairs of 10 bp at the ends of fragments, sorted, with the mates' qualities."""
    with pysam.FastaFile(str(genome)) as fasta:
        sizes = dict(zip(fasta.references, fasta.lengths, strict=True))
    header = {"HD": {"VN": "1.6", "SO": "coordinate"}, "SQ": [{"SN": name, "LN": size} for name, size in sizes.items()]}
    reads = []
    with pysam.AlignmentFile(str(path), "wb", header=header) as out:
        for number, (contig, start, end) in enumerate(fragments.itertuples(index=False)):
            for flag, at, mate in ((99, start, end - 10), (147, end - 10, start)):
                read = pysam.AlignedSegment(out.header)
                read.query_name, read.query_sequence, read.flag = f"r{number}", "ACGTACGTAC", flag
                read.reference_name = read.next_reference_name = contig
                read.reference_start, read.next_reference_start = at, mate
                read.mapping_quality, read.cigarstring = 60, "10M"
                read.template_length = (end - start) * (1 if flag == 99 else -1)
                read.set_tag("MQ", 60)
                reads.append(read)
        for read in sorted(reads, key=lambda read: (read.reference_id, read.reference_start)):
            out.write(read)
