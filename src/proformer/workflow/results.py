"""What a configuration makes, where it lies, and which files of which models belong together."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proformer.models import SEAL
from proformer.planning.cost import job_costs
from proformer.planning.data import (
    coverage_files,
    has_test_part,
    named_column,
    record_files,
    training_files,
    variant_files,
)
from proformer.points import (
    Fold,
    TrainingJob,
    active,
    active_evaluations,
    active_runs,
    folds_of,
    packs,
    training_jobs,
)
from proformer.workflow import profiles
from proformer.workflow.checks import BOTH, PUBLIC, check
from proformer.workflow.sources import Sources

FIGURE_AXES = {"width", "blocks", "head"}  # of the grids of Figures 2 and 3
BLOCK_AXES = {"processor", "first", "core", "final"}  # of the grid of Prix Fixe


@dataclass(frozen=True)
class Grid:
    """The points of a run on one data set."""

    run: str
    dataset: str

    @property
    def folder(self) -> str:
        """Where its tables are, below `tables/`."""
        return f"{self.dataset}/{self.run}"


class Results(Sources):
    """The files that a configuration makes.

    config: with its defaults filled in; checkout: where the workflow lies. Raises InputError for what the schema cannot
    know: names that are nowhere, keys that contradict each other, settings of models and trainings that are wrong.
    """

    def __init__(self, config: Mapping[str, Any], checkout: Path) -> None:
        super().__init__(config, checkout)
        self.runs = active_runs(config)
        with_test_part = [name for name, keys in self.datasets.items() if has_test_part(keys)]
        self.with_test_part = [name for name in with_test_part if name not in self.coverage]
        self.coverage_tests = [name for name in with_test_part if name in self.coverage]
        jobs = training_jobs(config)
        tested = dict.fromkeys(job.dataset for job in jobs if job.predicts and job.dataset in self.with_test_part)
        self.held_out = {f"{name}_held_out": name for name in tested}
        self.evaluations = active_evaluations(config) | {name: self._held_out(of) for name, of in self.held_out.items()}
        self.scored = [name for name, keys in self.datasets.items() if keys["test"] and keys["leaderboard"]]
        check(config)
        self.sources = self._sources()
        self.costs, self.skipped = job_costs(jobs, Path(self.folder) / "costs.json")
        self.jobs = {job.path: job for job in jobs if job.path in self.costs}
        self._left_out = [job for job in jobs if job.path in self.skipped]
        profiles.judged(self)  # which checks them

    def store(self, dataset: str) -> str:
        """The encoded store of a data set: windows of the experiment, or a file's sequences."""
        from_atac = self.datasets[dataset]["source"] == "atac"
        return f"{self.folder}/{'atac/windows' if from_atac else f'data/{dataset}/all'}.safetensors"

    def part(self, job: TrainingJob, part: str) -> str:
        """The training or the validation part that a model is trained on."""
        return f"{self.folder}/data/{job.dataset}/{job.draw}/{part}.safetensors"

    def model(self, path: str) -> str:
        """The folder of a trained model."""
        return f"{self.folder}/models/{path}"

    def trained(self, jobs: Iterable[TrainingJob]) -> list[str]:
        """The files that say that models are trained; `proformer.models.folder.seal` writes them."""
        return [f"{self.model(job.path)}/{SEAL}" for job in jobs]

    def needed(self, jobs: Iterable[TrainingJob]) -> list[str]:
        """The files that say that the models are trained which these are made of."""
        return self.trained(self.jobs[name] for name in dict.fromkeys(job.needs for job in jobs) if name)

    def packs(self) -> list[list[TrainingJob]]:
        """Trainings that share a job, where there are any."""
        size = self.config["points_per_job"]
        return packs(list(self.jobs.values()), size) if size > 1 else []

    @property
    def grids(self) -> list[Grid]:
        """The runs with axes, once for each of their data sets; but for those that are scored as profiles."""
        jobs = [job for job in self.jobs.values() if job.dataset not in profiles.datasets(self)]
        found = {Grid(job.run, job.dataset): None for job in jobs if job.axes and not job.fold}
        return list(found)

    @property
    def folds(self) -> dict[str, list[Fold]]:
        """The draws of every data set that is cross-validated."""
        return {name: found for name, keys in self.datasets.items() if (found := folds_of(keys))}

    @property
    def figure_grids(self) -> dict[str, Grid]:
        """The grids that figures show: 2, on promoters; 3, on windows split at random; chromosome, split otherwise."""
        found: dict[str, Grid] = {}
        for grid in self.grids:
            if self.has_figure_axes(grid):
                keys = self.datasets[grid.dataset]
                windows = "3" if keys["split"] == "random" else "chromosome"
                found.setdefault(windows if keys["source"] == "atac" else "2", grid)
        return found

    def has_figure_axes(self, grid: Grid) -> bool:
        """Whether a grid has the axes of the paper's: it can be tested as the paper's is, and has a report card."""
        return active(self.runs[grid.run]["vary"]).keys() == FIGURE_AXES

    def combines_blocks(self, run: str) -> bool:
        """Whether a run is a grid of all combinations of blocks, as Prix Fixe's."""
        return active(self.runs[run]["vary"]).keys() == BLOCK_AXES

    @property
    def block_grids(self) -> list[Grid]:
        """The grids of all combinations of blocks."""
        return [grid for grid in self.grids if self.combines_blocks(grid.run)]

    def left_out(self, grid: Grid) -> dict[str, str]:
        """The combinations of a grid of blocks that cannot be built, by their levels: why."""
        jobs = [job for job in self._left_out if (job.run, job.dataset) == (grid.run, grid.dataset)]
        return {" ".join(map(str, job.axes.values())): self.skipped[job.path] for job in jobs}

    def scores_blocks(self, grid: Grid) -> bool:
        """Whether a grid of blocks is scored on the DREAM test set."""
        return grid.dataset in self.scored and all(job.predicts for job in self.jobs_of(grid))

    def published_as(self, grid: Grid) -> str:
        """The data set of the paper's own table that a grid is compared with."""
        return "atac" if self.datasets[grid.dataset]["source"] == "atac" else "dream"

    def jobs_of(self, grid: Grid) -> list[TrainingJob]:
        """The trainings of a grid."""
        return [job for job in self.jobs.values() if (job.run, job.dataset) == (grid.run, grid.dataset)]

    def pair(self, grid: Grid) -> list[TrainingJob]:
        """Average pooling and the most expression heads among the points of a grid that predict, at the same size.

        The paper compares their convergence. Empty where either is lacking; one training of each, with its first seed.
        """
        jobs = {str(job.axes.get("head")): job for job in reversed(self.jobs_of(grid)) if job.predicts}
        most = max((head for head in jobs if head.isdigit()), key=int, default="")
        pair = [jobs[head] for head in ("AP", most) if head in jobs]
        sizes = {tuple(level for axis, level in job.axes.items() if axis != "head") for job in pair}
        return pair if len(pair) == 2 and len(sizes) == 1 else []

    @property
    def figure_pair(self) -> list[TrainingJob]:
        """The pair of Figure 2, if there is one."""
        return self.pair(self.figure_grids["2"]) if "2" in self.figure_grids else []

    def predicting_jobs(self, dataset: str) -> list[TrainingJob]:
        """The trainings whose models predict the test and evaluation sets of a data set, if it has any."""
        jobs = [job for job in self.jobs.values() if job.dataset == dataset and job.predicts]
        return jobs if self.evaluated_on(dataset) else []

    def whole_runs(self, dataset: str) -> list[str]:
        """The runs on a data set whose points all predict, but for grids of blocks, which have figures of their own."""
        runs = dict.fromkeys(job.run for job in self.jobs.values() if job.dataset == dataset and not job.fold)
        return [run for run in runs if self.runs[run]["predict"] is True and not self.combines_blocks(run)]

    def predicting_packs(self, dataset: str) -> list[list[TrainingJob]]:
        """The models of a data set that one job predicts with."""
        jobs, size = self.predicting_jobs(dataset), self.config["points_per_job"]
        return [jobs[i : i + size] for i in range(0, len(jobs), size)]

    @property
    def near(self) -> list[tuple[str, str]]:
        """Test and evaluation sets, each with a data set to whose sequences distances are measured."""
        sets = self.evaluations.items() if self.config["near"] else ()
        tests = [("test", dataset) for dataset in self.scored if self.config["near"]]
        of_sets = [(name, dataset) for name, keys in sets if name not in self.held_out for dataset in keys["datasets"]]
        return tests + of_sets

    def near_tables(self, dataset: str, evaluation: str = "test") -> list[str]:
        """The table of what of an evaluation set is near a data set's sequences; none where distances are off."""
        folder = f"{self.folder}/tables/evaluations/{evaluation}"
        return [f"{folder}/near_{dataset}.tsv"] if (evaluation, dataset) in self.near else []

    def submissions(self, dataset: str) -> dict[str, str]:
        """The predictions from elsewhere that are scored beside a data set's models: name → file."""
        return {name: self.raw(file) for name, file in active(self.datasets[dataset]["submissions"]).items()}

    def parts(self, dataset: str) -> list[str]:
        """The parts of a data set's test set that are scored; the report card and the comparison show the first."""
        test, parts = (self.datasets[dataset][key] for key in ("test", "part"))
        return [PUBLIC] if test == PUBLIC else [parts] if isinstance(parts, str) else parts

    def score_tables(self, dataset: str) -> str:
        """The folder of the tables of scores of a data set's first part."""
        return f"{self.folder}/tables/{dataset}/{self.parts(dataset)[0]}"

    def _held_out(self, dataset: str) -> dict[str, Any]:
        """The test part of a data set, as an evaluation set."""
        keys = self.datasets[dataset]
        described = {"file": f"the test part of {dataset}", "title": f"held out of {dataset}", "datasets": [dataset]}
        medium = None if keys["medium"] == BOTH else keys["medium"]
        return described | {"medium": medium, "flanks": keys["flanks"], "printed": None, "published": {}}

    def evaluation_file(self, name: str, kind: str) -> str:
        """An evaluation set's table (tsv) or its sequences (txt)."""
        if name not in self.held_out:
            return f"{self.folder}/data/evaluations/{name}.{kind}"
        dataset = self.held_out[name]
        return f"{self.folder}/data/{dataset}/seed~{self._seed(dataset)}/test.{kind}"

    def _seed(self, dataset: str) -> int:
        """The first seed that a data set is split by; its test part is the same for all."""
        return next((job.seed for job in self.jobs.values() if job.dataset == dataset), self.config["seeds"][0])

    @property
    def encoded(self) -> list[str]:
        """The data sets whose sequences are encoded from files, for training or to measure distances to them."""
        trained = [job.dataset for job in self.jobs.values()]
        near = [dataset for _, dataset in self.near]
        return [name for name in dict.fromkeys([*trained, *near]) if self.datasets[name]["source"] == "file"]

    def test_file(self, dataset: str) -> str:
        """The measured test sequences of a data set."""
        test = self.datasets[dataset]["test"]
        return f"{self.folder}/data/{dataset}/public_test.txt" if test == PUBLIC else self.raw(test)

    def evaluated_on(self, dataset: str) -> dict[str, str]:
        """What the models of a data set predict: name of the evaluation set → its sequences."""
        own = {"test": self.test_file(dataset)} if self.datasets[dataset]["test"] else {}
        named = [name for name, keys in self.evaluations.items() if dataset in keys["datasets"]]
        return own | {name: self.evaluation_file(name, "txt") for name in named}

    def measured_for(self, dataset: str) -> dict[str, str]:
        """The measurements of what the models of a data set predict: name of the evaluation set → its table."""
        tables = {name: self.evaluation_file(name, "tsv") for name in self.evaluations}
        return {name: tables.get(name, file) for name, file in self.evaluated_on(dataset).items()}

    def predictions(self, job: TrainingJob) -> dict[str, str]:
        """The tables that a model predicts: name of the evaluation set → table."""
        return {name: f"{self.folder}/predictions/{job.path}/{name}.tsv" for name in self.evaluated_on(job.dataset)}

    def evaluation_models(self, evaluation: str) -> dict[str, str]:
        """The models that predict an evaluation set: name in tables, with the seed → table of predictions.

        Those of other data sets than the first that it names have the data set's name behind.
        """
        datasets = self.evaluations[evaluation]["datasets"]
        jobs = [job for dataset in self.datasets if dataset in datasets for job in self.predicting_jobs(dataset)]
        names = [job.label if job.dataset == datasets[0] else f"{job.label}-{job.dataset}" for job in jobs]
        return {f"{name}:{job.seed}": self.predictions(job)[evaluation] for name, job in zip(names, jobs, strict=True)}

    @property
    def evaluations_folder(self) -> str:
        """Where the scores of all evaluation sets are, below `tables/`: joined, or of the only one."""
        return "evaluations" if len(self.evaluations) > 1 else f"evaluations/{next(iter(self.evaluations))}"

    def evaluation_parts(self, table: str) -> list[str]:
        """The tables that are joined into one of all evaluation sets."""
        sets, folder = [name for name in self.evaluations if name not in self.held_out], f"{self.folder}/tables"
        if table == "near":
            return [table for name, dataset in self.near for table in self.near_tables(dataset, name)]
        found = [f"{folder}/{name}/split/test_seed~{self._seed(name)}.tsv" for name in self.held_out.values()]
        own = [f"{folder}/evaluations/{name}/{table}.tsv" for name in (sets if table == "found" else self.evaluations)]
        return [*own, *found] if table == "found" else own

    def sets_of_medium(self, medium: str | None) -> list[str]:
        """The evaluation sets that Figure 5 shows for a medium."""
        return [name for name, keys in self.evaluations.items() if keys["medium"] == medium]

    def run_note(self, dataset: str) -> str:
        """What a run was trained on, in a sentence."""
        source = self.datasets[dataset]["source"]
        others = "sequences" if dataset in self.folds else "promoters"
        data = {"atac": "ATAC-seq windows", "coverage": "profiles"}.get(source, others)
        if self.is_simulated(dataset):
            return f"This run was trained on simulated {data}, which say nothing about the paper's claims."
        return f"This run was trained on {data} of {', '.join(self._read_for(dataset))}."

    def is_simulated(self, dataset: str) -> bool:
        """Whether a data set is simulated, promoters or windows."""
        return any(name.startswith("simulated") for name in self._read_for(dataset))

    def ceiling_option(self, dataset: str) -> str:
        """Option for a simulated data set: a perfect model's r stands beside."""
        if not self.is_simulated(dataset) or dataset in self.folds:
            return ""
        if dataset in self.coverage:
            return ""
        windows = self.datasets[dataset]["source"] == "atac"
        return f"--simulated {self.folder}/data/simulated_atac" if windows else "--simulated"

    def _read_for(self, dataset: str) -> list[str]:
        """The files that a data set is made of; of windows, the genome."""
        keys = self.datasets[dataset]
        if keys["source"] == "atac":
            return [self.experiment.keys["genome"]]
        return training_files(keys) or coverage_files(keys)

    def peers_note(self, medium: str | None) -> str:
        """What the sets and models of Figure 5 are, for its lower margin."""
        shown = self.sets_of_medium(medium)
        if any(self.evaluations[name]["file"].startswith("simulated") for name in shown):
            return "Sets and models of this run are simulated, printed numbers are not."
        sets = [self.evaluations[name]["datasets"] for name in shown if self.evaluation_models(name)]
        return " ".join(self.run_note(dataset) for dataset in dict.fromkeys(d for names in sets for d in names))

    def described_models(self) -> dict[str, dict[str, Any]]:
        """Configs for Figures 1 and 2a, by name: the paper's final model, then the pair of Figure 2."""
        described: dict[str, dict[str, Any]] = {"published_ap": {"head": "ap"}, "published_meh": {"head": "meh"}}
        for name, job in zip(("run_ap", "run_meh"), self.figure_pair, strict=False):
            keys = {"recipe": job.config.get("recipe"), "length": job.data["length"], **job.config["model"]}
            described[name] = keys
        return described

    def _sources(self) -> dict[str, str]:
        """What this configuration reads, and where it lies; each is looked up at once, so that a typo stops here."""
        sets = [keys for name, keys in self.evaluations.items() if name not in self.held_out]
        named = {file for keys in self.datasets.values() for file in (*training_files(keys), keys["test"])}
        tracked = [self.datasets[name] for name in self.coverage]
        named |= {file for keys in tracked for file in (*coverage_files(keys), *record_files(keys, self.config))}
        named |= {file for keys in self.profiles.values() for file in variant_files(keys)}
        named |= {name for keys in self.datasets.values() for key in ("subsets", "leaderboard") for name in keys[key]}
        named |= {file for keys in sets for file in (keys["file"], *keys["published"].values())}
        named |= {file for name in self.scored for file in self.datasets[name]["submissions"].values() if file}
        named |= self.motif_files | {(self.config["explain"] or {}).get("drift")}
        found = {name for name in named | self.experiment.sources if name and name != PUBLIC}
        found |= {column[0] for column in map(named_column, found) if column}
        return {name: self.raw(name) for name in sorted(found)}
