"""What a configuration reads, and where it lies: downloaded, simulated, laid out, or the user's own."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

from proformer.errors import InputError
from proformer.planning.data import named_column, training_files
from proformer.points import active, active_datasets
from proformer.settings import did_you_mean
from proformer.sources.catalogue import load_catalogue
from proformer.workflow.experiment import Experiment

# What can be simulated, by folder: the section of the configuration that says how much, and the files and folders.
SIMULATED = {
    "simulated": (
        "simulate",
        "train_sequences.txt test_sequences.txt filtered_test_data_with_MAUDE_expression.txt second_measurement.json"
        " ground_truth.tsv simulator.json test_subset_ids public_leaderboard_ids",
    ),
    "simulated_atac": (
        "simulate_atac",
        "genome.fa regions.bed sites.bed tss.bed blacklist.bed repeats.bed fragments.tsv.gz simulator.json",
    ),
    "simulated_vaishnav": (
        "simulate_vaishnav",
        "All_promoter_fragments_Native.csv Random_complex.csv Drift_testdata.csv",
    ),
    "simulated_coverage": ("simulate_coverage", "genome.fa gaps.bed regions.tsv variants1.tsv variants2.tsv"),
    "simulated_benchmarks": (
        "simulate_benchmarks",
        "drosophila.tsv HepG2_clean.tsv K562_clean.tsv WTC11_clean.tsv ceilings.tsv",
    ),
}


class Sources:
    """The files that a configuration reads.

    config: with its defaults filled in; checkout: where the workflow lies. Raises InputError for an unknown name.
    """

    def __init__(self, config: Mapping[str, Any], checkout: Path) -> None:
        self.config = config
        self.folder = config["results"].rstrip("/")
        self.catalogue = load_catalogue()
        self.datasets = active_datasets(config)
        self.profiles = {k: v for k, v in active(config["profiles"]).items() if v["test"] in self.datasets}
        self.coverage = [name for name, keys in self.datasets.items() if keys["source"] == "coverage"]
        self.experiment = Experiment(config, checkout, self.raw)
        self.sources: dict[str, str] = {}

    def raw(self, name: str) -> str:
        """Where a source lies: downloaded by its name in the catalogue, simulated, or a file of the user's own.

        `TABLE:COLUMN` is a file of its own: the table's sequences, each with its value of that column.
        """
        if named := named_column(name):
            self.raw(named[0])
            return f"{self.folder}/data/columns/{quote(named[0], safe='')}/{named[1]}.txt"
        if name in self.catalogue:
            return f"{self.folder}/data/raw/{name}/{self.catalogue[name].filename}"
        if name.startswith("tfrecords/"):
            if (of := name.split("/")[1]) not in (sets := active(self.config["tfrecords"])):
                raise InputError(f"{name!r}: not among tfrecords{did_you_mean(of, sets)}")
            return f"{self.folder}/data/{name}"
        if name.startswith("atac/"):
            return str(self.experiment.peaks) if name == "atac/peaks" else f"{self.folder}/{name}"
        if (folder := name.partition("/")[0]) in SIMULATED and folder != name:
            if not self.config[section := SIMULATED[folder][0]]:
                raise InputError(f"{name}: found {section}: null, expected what to simulate")
            if (path := f"{self.folder}/data/{name}") not in (known := self.simulated(folder)):
                names = [file.removeprefix(f"{self.folder}/data/") for file in known]
                raise InputError(f"{name!r}: not among what is simulated{did_you_mean(name, names)}")
            return path
        if not Path(name).exists():
            beside = map(str, Path(name).parent.glob("*"))
            hint = did_you_mean(name, [*self.catalogue, *beside])
            raise InputError(
                f"{name!r}: neither a name in the catalogue (proformer fetch --list) nor a file or folder{hint}"
            )
        return name

    def simulated(self, folder: str) -> list[str]:
        """The files and folders that a simulator writes."""
        section, names = SIMULATED[folder]
        keys = self.config[section] or {}
        libraries = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[: keys.get("libraries", 0)]
        reads = [f"{library}_{mate}.fastq.gz" for library in libraries for mate in (1, 2)]
        cells = [f"cell{number + 1}" for number in range(keys.get("cells", 0))]
        tracks = [f"{cell}{kind}" for cell in cells for kind in (".bw", "_2.bw", "_expected.bw", ".bed")]
        return [f"{self.folder}/data/{folder}/{name}" for name in (*names.split(), *reads, *tracks)]

    def raws(self, dataset: str, key: str) -> list[str]:
        """Where the files lie that a key of a data set names."""
        keys = self.datasets[dataset]
        return [self.raw(name) for name in (training_files(keys) if key == "train" else keys[key])]

    @property
    def genomes(self) -> dict[str, str]:
        """The genomes of data sets of coverage, and of variants, by the folder in which they are laid out."""
        names = [self.datasets[of]["genome"] for of in self.coverage]
        varied = [keys["variants"] for keys in self.profiles.values() if keys["variants"]]
        names += [keys["sequences"] for keys in varied if not keys["loci"]]
        return {quote(name, safe=""): name for name in names}

    def laid_out(self, genome: str) -> str:
        """A genome, laid out for reading by position."""
        return f"{self.folder}/data/genomes/{quote(genome, safe='')}/genome.fa"

    @property
    def tfrecords(self) -> dict[str, list[str]]:
        """The files that are made of TFRecords, by the name of these; the first is the genome."""
        found = {}
        for name in active(self.config["tfrecords"]):
            folder = f"{self.folder}/data/tfrecords/{name}/"
            own = [path for path in self.sources.values() if path.startswith(folder)]
            found[name] = list(dict.fromkeys([f"{folder}genome.fa", f"{folder}gaps.bed", f"{folder}tracks.tsv", *own]))
        return found

    @property
    def motif_files(self) -> set[str]:
        """The names of the files of known motifs; JASPAR's are not among them, which pyjaspar has."""
        asked = self.config["explain"] or {}
        named = [(keys or {}).get("known") for keys in (asked, *(asked.get("datasets") or {}).values())]
        return {known for known in named if known and not known.startswith("jaspar")}

    def named_files(self, dataset: str, key: str) -> list[str]:
        """TASK=FILE of the tracks or the peaks of a data set of coverage."""
        return [f"{task}={self.raw(file)}" for task, file in self.datasets[dataset][key].items()]

    @property
    def tables_of_columns(self) -> dict[str, str]:
        """The tables of which a column is read, by the folder of their columns."""
        named = filter(None, map(named_column, self.sources))
        return {quote(table, safe=""): table for table, _ in named}
