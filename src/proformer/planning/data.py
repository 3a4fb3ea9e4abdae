"""What a configuration reads: rows and sizes, as far as they are known before anything is fetched."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from proformer.files import existing
from proformer.points import active
from proformer.sources.catalogue import Source
from proformer.units import as_bytes

ROW = 119.5  # bytes of a row of a plain sequence file: the mean of 6,370 real rows


@dataclass(frozen=True)
class Amount:
    """Bytes, and the names of what is not known and not among them."""

    known: float = 0.0
    unknown: tuple[str, ...] = ()

    def __add__(self, other: Self) -> Self:
        return type(self)(self.known + other.known, tuple(dict.fromkeys([*self.unknown, *other.unknown])))

    def __str__(self) -> str:
        if self.unknown and not self.known:
            return "?"
        return as_bytes(self.known) + (" + ?" if self.unknown else "")


@dataclass(frozen=True)
class File:
    """One file that a run reads, and its size where somebody says; `estimated` by its rows where nobody does.

    kind: "catalogue", "simulated", or "own", which takes no place among the results. fetched: no download is needed.
    """

    name: str
    kind: str
    size: float | None
    fetched: bool = True
    estimated: bool = False

    @property
    def disk(self) -> Amount:
        """Its place among the results."""
        if self.kind == "own":
            return Amount()
        return Amount(unknown=(self.name,)) if self.size is None else Amount(self.size)

    @property
    def download(self) -> Amount:
        """What is still to be fetched of it."""
        return Amount() if self.fetched else self.disk


def named_column(name: str) -> tuple[str, str] | None:
    """The table and the column of `TABLE:COLUMN`; None for the name of a whole file."""
    table, _, column = name.rpartition(":")
    return (table, column) if table and column and not Path(name).exists() else None


def find(name: str, config: Mapping[str, Any], catalogue: Mapping[str, Source]) -> File:
    """A file by its name in the configuration: in the catalogue, simulated, or a path."""
    raw = Path(config["results"], "data")
    if name in catalogue:
        source = catalogue[name]
        copies = [raw / "raw" / name / source.filename]
        copies += [Path(config["mirror"]) / source.mirror_path] if config["mirror"] else []
        there = next((path for path in copies if path.is_file()), None)
        size = there.stat().st_size if there else source.size
        estimate = ROW * source.rows if size is None and source.rows else None
        return File(name, "catalogue", size or estimate, there is not None, estimate is not None)
    if not name.startswith(("simulated", "tfrecords/")):
        return File(name, "own", Path(name).stat().st_size if Path(name).is_file() else None)
    if (raw / name).is_file():
        return File(name, "simulated", (raw / name).stat().st_size)
    # Before it is made: the large ones by what decides their size; the others are small.
    made: float = ROW * config["simulate"]["train"] if name == "simulated/train_sequences.txt" else 0.0
    if name.startswith("simulated_atac/"):
        mate = 33.0 * config["simulate_atac"]["pairs"] if name.endswith(".fastq.gz") else 0.0
        made = config["simulate_atac"]["genome_size"] if name.endswith("/genome.fa") else mate
    if name == "simulated_coverage/genome.fa":
        made = config["simulate_coverage"]["genome_size"]
    return File(name, "simulated", made, estimated=True)


def training_files(keys: Mapping[str, Any]) -> list[str]:
    """The names of a data set's training files; none for windows of the ATAC-seq experiment."""
    train = keys.get("train") or []
    return [train] if isinstance(train, str) else list(train)


def further_files(keys: Mapping[str, Any]) -> list[str]:
    """The names of the files that a data set's models are tested on, with the tables of the test subsets."""
    test, submitted = keys.get("test"), (keys.get("submissions") or {}).values()
    names = [*([test] if test and test != "public" else []), *filter(None, submitted)]
    whole = dict.fromkeys(column[0] if (column := named_column(name)) else name for name in names)
    return [*whole, *keys.get("subsets", []), *keys.get("leaderboard", [])]


def coverage_files(keys: Mapping[str, Any]) -> list[str]:
    """The names of the files that windows of a genome's coverage are made of; none for other data sets."""
    if keys["source"] != "coverage":
        return []
    files = [keys["genome"], *keys["tracks"].values(), *keys["peaks"].values(), *keys["regions"], keys["gaps"]]
    files += [name for tracks in keys["compared"].values() for name in tracks.values()]
    return [name for name in files if name]


def record_files(keys: Mapping[str, Any], config: Mapping[str, Any]) -> list[str]:
    """The names of the TFRecords' files of which the tracks of a data set are made (tfrecords/NAME/…)."""
    first, _, rest = (keys.get("genome") or "").partition("/")
    own = active(config["tfrecords"]).get(rest.partition("/")[0]) if first == "tfrecords" else None
    return [*own["records"], own["statistics"], own["targets"]] if own else []


def variant_files(keys: Mapping[str, Any]) -> list[str]:
    """The names of the files of variants on which a set of profiles is scored."""
    variants = keys["variants"]
    return (
        [*filter(None, (variants["sequences"], variants["loci"])), *variants["measured"].values()] if variants else []
    )


def row_bytes(data: Mapping[str, Any]) -> int:
    """Bytes of a row of a store, by what its data set says of sequences and targets (`proformer.points.facts`)."""
    positions = data.get("target", 1) // data.get("bin", 1)
    return data["length"] + 8 + 4 * data.get("tasks", 1) * positions


def shares_of(keys: Mapping[str, Any]) -> dict[str, float]:
    """The shares of a data set's rows that a model trains on and is validated on; of folds, as if they were equal."""
    if folds := keys.get("cross_validation"):
        number = len(folds["test"])
    elif folds := keys.get("folds"):
        number = folds["number"]
    else:
        return {part: keys["fractions"][part] for part in ("train", "validation")}
    test, validation = 1 / number, folds["validation"]
    held = (1 - test) / validation if isinstance(validation, int) else test
    return {"train": 1 - test - held, "validation": held}


def has_test_part(keys: Mapping[str, Any]) -> bool:
    """Whether a data set has a test part, which no model of it sees."""
    given = (keys["chromosomes"] or {}).get("test") or keys["folds"] or (keys["parts"] or {}).get("test")
    return bool(given or keys["fractions"]["test"])


def count_rows(dataset: str, config: Mapping[str, Any], catalogue: Mapping[str, Source]) -> tuple[int | None, str]:
    """Rows of a data set before it is split, and how that is known: the store, the catalogue, the file, its size."""
    keys = config["datasets"][dataset]
    from_atac = keys["source"] == "atac"
    store = Path(config["results"], "atac/windows.safetensors" if from_atac else f"data/{dataset}/all.safetensors")
    if store.is_file():
        from proformer.datasets.store import open_store

        return len(open_store(store)), "its store"
    if from_atac:
        return config["atac"]["windows"]["number"], "atac.windows.number"
    if keys["source"] == "coverage":
        return None, "are counted when its windows are made"
    if keys["rows"]:
        return keys["rows"], "as its key rows says"
    rows, sources = zip(*(_rows(name, config, catalogue) for name in training_files(keys)), strict=True)
    return (None if None in rows else sum(rows)), ", ".join(dict.fromkeys(sources))


def part_rows(dataset: str, config: Mapping[str, Any], rows: int, draw: str) -> tuple[int, int, str]:
    """Rows to train on and to validate, of all of a data set; and a word on them, where they are not known yet."""
    keys = config["datasets"][dataset]
    folder = Path(config["results"], f"data/{dataset}/{draw}")
    stores = [folder / f"{part}.safetensors" for part in ("train", "validation")]
    if all(store.is_file() for store in stores):
        from proformer.datasets.store import open_store

        train, validation = (len(open_store(store)) for store in stores)
        return train, validation, ""
    if keys["chromosomes"]:
        return rows, 0, " at most (their chromosomes are not known yet)"
    if keys["parts"]:
        numbers = existing(keys["parts"]["file"]).read_text(encoding="utf-8", errors="replace").split()
        return numbers.count("0"), numbers.count("1"), ""
    shares = shares_of(keys)
    return int(rows * shares["train"]), int(rows * shares["validation"]), ""


def _rows(name: str, config: Mapping[str, Any], catalogue: Mapping[str, Source]) -> tuple[int | None, str]:
    if name == "simulated/train_sequences.txt":
        return config["simulate"]["train"], "simulate.train"
    if name.startswith("simulated_benchmarks/"):
        from proformer.simulate.benchmarks import rows_of

        sizes = {key: config["simulate_benchmarks"][key] for key in ("enhancers", "elements")}
        return rows_of(Path(name).stem, **sizes), "simulate_benchmarks"
    if name in catalogue and (rows := catalogue[name].rows):
        return rows, "the catalogue"
    file = find(name, config, catalogue)
    if file.size is None:
        return None, f"{name} is not there yet"
    if file.kind != "own":
        return int(file.size / ROW), "about, by its size"
    with gzip.open(name) if name.endswith(".gz") else open(name, "rb") as handle:
        return sum(block.count(b"\n") for block in iter(lambda: handle.read(1 << 22), b"")), "its lines"
