"""Files and samples of the ATAC-seq experiment."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from proformer.atac.samples import check_species, read_samples

FILES = ("read1", "read2", "bam", "fragments", "peaks", "bigwig")


class Experiment:
    """The experiment of a configuration; without one, everything is empty.

    raw: where a named file lies. Raises InputError for a samples table that is wrong, or reads of another species.
    """

    def __init__(self, config: Mapping[str, Any], checkout: Path, raw: Callable[[str], str]) -> None:
        self.keys: Mapping[str, Any] = config["atac"] or {}
        self.raw = raw
        self.folder = f"{config['results'].rstrip('/')}/atac"
        self.samples: dict[str, dict[str, str]] = {}
        if self.keys:
            check_species(self.keys["species"], self.keys["genome_name"], self.keys["allow_other_species"])
            path = Path(self.keys["samples"])
            table = read_samples(path if path.is_file() else checkout / path)
            self.samples = table.set_index("sample").to_dict("index")
        # Finished peaks and signal stand alone in a table; everything before the windows is then left out.
        self.finished = next((row for row in self.samples.values() if row["kind"] == "peaks"), None)
        self.reads = [name for name, row in self.samples.items() if row["kind"] == "reads"]
        self.simulated = any(row["read1"].startswith("simulated_atac/") for row in self.samples.values())
        fragments = [] if self.finished else [f"{self.folder}/fragments/{name}.bed.gz" for name in self.samples]
        self.fragments: list[str] = fragments
        self.pooled: str | list[str] = [] if self.finished else f"{self.folder}/pooled.bed.gz"
        self.peaks = raw(self.finished["peaks"]) if self.finished else f"{self.folder}/peaks/atac_peaks.narrowPeak"
        self.signal = raw(self.finished["bigwig"]) if self.finished else f"{self.folder}/signal.bw"
        self.quality = ["profile", "heatmap", "locus", "window_summary", "peaks"]
        self.quality += ["frip"] if self.fragments else []
        self.quality += ["tss"] if self.setting("annotation") else []
        self.quality += ["recall"] if self.simulated else []

    def setting(self, name: str) -> Any:
        """A key of the experiment's configuration; None without an experiment."""
        return self.keys.get(name)

    def side_file(self, name: str) -> str | list[str]:
        """A further file of the experiment, or none."""
        return self.raw(self.keys[name]) if self.setting(name) else []

    @property
    def sources(self) -> set[str | None]:
        """Names in the catalogue, simulated files and paths that the experiment reads."""
        named = {row[column] for row in self.samples.values() for column in FILES} - {""}
        return named | {self.setting(name) for name in ("genome", "blacklist", "annotation")}

    def files(self, sample: str, *columns: str) -> list[str]:
        """The files that a sample's row names in some columns."""
        return [self.raw(self.samples[sample][column]) for column in columns]

    def among(self, kind: str) -> str:
        """The samples that start from one kind of file, as a regular expression."""
        names = [re.escape(name) for name, row in self.samples.items() if row["kind"] == kind]
        return "|".join(names) or "no-such-sample"

    def aligned(self, sample: str) -> list[str]:
        """What is aligned: trimmed reads, or the reads as they are."""
        if self.keys["trim"]:
            return [f"{self.folder}/trimmed/{sample}_{mate}.fastq.gz" for mate in (1, 2)]
        return self.files(sample, "read1", "read2")

    def before_fragments(self, sample: str) -> str:
        """A sample's alignments, or its own fragments file."""
        row = self.samples[sample]
        return self.raw(row["fragments"]) if row["kind"] == "fragments" else f"{self.folder}/bam/{sample}.bam"
