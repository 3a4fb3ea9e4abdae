"""Names, paths and samples of the ATAC-seq experiment."""

import re
import shutil

from proformer.atac.samples import check_species, read_samples
from proformer.errors import InputError

ATAC = config["atac"]
A = f"{R}/atac"
T = f"{R}/tables/atac"
ATAC_CODE = library("atac", "cli/atac", "datasets/text", "sequences", "files")


def own(path):
    """A file of the configuration: from where Snakemake runs, or from the checkout."""
    return path if Path(path).is_file() else str(ROOT / path)


def atac_samples():
    """The samples table by name, checked; empty without an experiment."""
    if not ATAC:
        return {}
    try:
        check_species(ATAC["species"], ATAC["genome_name"], ATAC["allow_other_species"])
        table = read_samples(own(ATAC["samples"]))
    except InputError as error:
        raise WorkflowError(str(error))
    validate(table, str(ROOT / "workflow/schemas/samples.schema.yaml"))
    return table.set_index("sample").to_dict("index")


SAMPLES = atac_samples()
# Finished peaks and signal stand alone in a table; everything before the windows is then left out.
FINISHED = next((row for row in SAMPLES.values() if row["kind"] == "peaks"), None)
READS = [name for name, row in SAMPLES.items() if row["kind"] == "reads"]
PEAKS = raw(FINISHED["peaks"]) if FINISHED else f"{A}/peaks/atac_peaks.narrowPeak"
SIGNAL = raw(FINISHED["bigwig"]) if FINISHED else f"{A}/signal.bw"
FRAGMENTS = [] if FINISHED else [f"{A}/fragments/{name}.bed.gz" for name in SAMPLES]
POOLED = [] if FINISHED else f"{A}/pooled.bed.gz"


def setting(name):
    """A key of the experiment's configuration."""
    return ATAC[name] if ATAC else None


def side_file(name):
    """A further file of the experiment, or none."""
    return raw(setting(name)) if setting(name) else []


def option(flag, value):
    """A command-line option, or nothing."""
    values = [value] if isinstance(value, str | int | float) else list(value or [])
    return " ".join([flag, *(shlex.quote(str(item)) for item in values)]) if values not in ([], [""]) else ""


def atac_sources():
    """Names in the catalogue, simulated files and paths that the experiment reads."""
    columns = ("read1", "read2", "bam", "fragments", "peaks", "bigwig")
    named = {row[column] for row in SAMPLES.values() for column in columns} - {""}
    return named | {setting(name) for name in ("genome", "blacklist", "annotation")}


def atac_tables():
    """Tables of the experiment that are pages of the report."""
    if not ATAC:
        return []
    names = ["genome", "windows", "peaks", "tools"]
    names += [] if FINISHED else ["filtering", "frip"]
    names += ["alignment"] if READS else []
    names += ["tss"] if ATAC["annotation"] else []
    names += ["recall"] if simulated() else []
    return [f"atac/{name}" for name in names]


def atac_figures():
    """Figures of the experiment; those of fragments need fragments."""
    if not ATAC:
        return []
    figures = ["profile_run", "windows_run"]
    figures += ["fig3b_published", "fig3b_run"] if "atac" in GRIDS else []
    figures += ["fig3b_chromosome_run"] if "atacchromosome" in GRIDS else []
    return figures + ([] if FINISHED else ["fig3a_run", "fragments_run"])


def atac_pages():
    """Pages that the tools' own logs make."""
    return [f"{A}/multiqc.html"] if READS else []


def simulated():
    """Whether the reads are the simulator's, so that the accessible regions are known."""
    return any(row["read1"].startswith("simulated_atac/") for row in SAMPLES.values())


def sample_files(*columns):
    """An input function: the files that a sample's row names in some columns."""
    return lambda wildcards: [raw(SAMPLES[wildcards.sample][column]) for column in columns]


def among(kind):
    """What the wildcard `sample` may be: the samples that start from one kind of file."""
    return "|".join(re.escape(name) for name, row in SAMPLES.items() if row["kind"] == kind) or "no-such-sample"


def reads_of(wildcards):
    """What is aligned: trimmed reads, or the reads as they are."""
    if ATAC["trim"]:
        return [f"{A}/trimmed/{wildcards.sample}_{mate}.fastq.gz" for mate in (1, 2)]
    return [raw(SAMPLES[wildcards.sample][f"read{mate}"]) for mate in (1, 2)]


def before_fragments(wildcards):
    """A sample's alignments, or its own fragments file."""
    row = SAMPLES[wildcards.sample]
    return raw(row["fragments"]) if row["kind"] == "fragments" else f"{A}/bam/{wildcards.sample}.bam"


def minutes_for(size_mb, per_gb, attempt):
    """Minutes for a job that reads `size_mb`, at `per_gb` minutes per gigabyte."""
    return attempt * (15 + int(per_gb * size_mb / 1000))


LIBRARIES = [chr(ord("A") + number) for number in range(config["simulate_atac"]["libraries"])]
QUALITY = ["profile", "heatmap", "locus", "window_summary", "peaks"]
QUALITY += ["fragment_lengths", "frip"] if FRAGMENTS else []
QUALITY += ["tss"] if setting("annotation") else []
QUALITY += ["recall"] if simulated() else []
