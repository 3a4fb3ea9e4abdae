"""Configurations: what the paper's lists, and how a wrong one is refused."""

import itertools
import os
import re
import sys

import pytest
import yaml

from proformer.errors import InputError
from proformer.planning.configuration import read_configuration
from proformer.workflow import commands, explained, shown
from proformer.workflow.checks import check
from proformer.workflow.results import Results


def dry_run(run, *arguments):
    done = run("--dry-run", *arguments)
    return done.returncode, done.stdout + done.stderr


def test_paper_lists_its_gpu_jobs(paper):
    """72 for Figure 2, 48 for Figure 3, four for what the random split leaks; 45 of blocks, 155 of tracks, 34 more."""
    jobs = re.split(r"\n(?=(?:local)?rule \w+:)", paper)
    train = [job for job in jobs if job.startswith("rule train:")]
    point = r"wildcards: point=dataset~(\w+)/run~\w+_width~(\d+)-(\d+)_blocks~(\d+)_head~([^_]+)"
    found = {match.groups() for job in train if (match := re.search(point, job))}
    widths = [("64", "2"), ("128", "4"), ("256", "8")]
    heads = ("AP", "1", "8", "16", "32", "64")
    wanted = {("dream", *w, b, h) for w, b, h in itertools.product(widths, "1248", heads)}
    wanted |= {("atac", *w, b, h) for w, b, h in itertools.product(widths[:2], "1248", heads)}
    wanted |= {("atacchromosome", *w, "4", h) for w, h in itertools.product(widths[:2], ("AP", "32"))}
    assert found == wanted
    assert len(train) == 72 + 48 + 4 + 45 + 155 + 34
    assert sum("gpu=4" in job for job in train) == 7
    assert sum("gpu=1" in job for job in train) == 196 + 155
    final = {re.search(r"dataset~dreamfull/run~final_head~(\S+)_seed", job) for job in train}
    assert {match[1] for match in final if match} == {"AP", "1", "32", "32+GLU"}


@pytest.fixture
def overlay(fresh, tmp_path):
    """Dry-run with further keys on top of one of the configurations: (exit code, output)."""

    def run(text, *before):
        (tmp_path / "overlay.yaml").write_text(text)
        return dry_run(fresh, "--configfile", *before, str(tmp_path / "overlay.yaml"), "--quiet", "rules")

    return run


def test_paper_grows_by_as_many_jobs_per_seed(overlay):
    code, text = overlay("seeds: [1, 2, 3]", "config/paper.yaml")
    assert code == 0, text
    assert re.search(r"^train +1026$", text, re.MULTILINE)  # three times 334; 24 have seeds of their own


def test_models_on_several_gpus(fresh, tmp_path):
    model = {"model": "proformer", "datasets": ["dream"], "recipe": "grid"}
    models = {"node": {"gpus": 4}, "nodes": {"gpus": 4, "nodes": 2}, "single": {"nodes": 2}}
    models = {name: model | keys for name, keys in models.items()}
    (tmp_path / "many.yaml").write_text(yaml.safe_dump({"device": "cuda", "runs": models}))
    targets = [f"results/models/dataset~dream/run~{name}_seed~1/SHA256SUMS" for name in models]
    code, text = dry_run(fresh, "-p", "--configfile", str(tmp_path / "many.yaml"), "--", *targets)
    assert code == 0, text
    of_a_node = "python -m torch.distributed.run --standalone --nproc-per-node=4 --shutdown-timeout=120"
    srun = "srun --kill-on-bad-exit=1 --nodes=2 --ntasks-per-node={0} --gpus-per-node={0} --cpus-per-task=1 python"
    mpi = "mpi=srun, tasks_per_node={}, tasks={}, tasks_per_gpu=0"
    for resources, started_by in (
        ("gpu=4, nodes=1", of_a_node),
        ("gpu=8, nodes=2, " + mpi.format(4, 0), srun.format(4)),
        ("gpu=2, nodes=2, " + mpi.format(0, 2), srun.format(1)),
    ):
        assert resources in text
        assert f"exec {started_by} -m proformer train --config " in text


def test_demo_asks_for_no_gpu(fresh):
    code, text = dry_run(fresh)
    assert code == 0, text
    assert "gpu=1" not in text


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("result: x", "unknown key 'result'; did you mean 'results'?"),
        ("runs: {grid: {varry: {}}}", "runs.grid: unknown key 'varry'; did you mean 'vary'?"),
        ("runs: {grid: {vary: {width: [64/0]}}}", "runs: grid: width: found '64/0', expected width/attention heads"),
        ("runs: {grid: {vary: {head: [AP, CLS]}}}", "head: found 'CLS', expected AP"),
        ("runs: {grid: {vary: {head: [0]}}}", "head: found 0, expected AP"),
        ("runs: {grid: {vary: {blocks: [1.5]}}}", "blocks is 1.5, expected"),
        ("runs: {grid: {vary: {block: [1]}}}", "unknown key 'block'"),
        ("runs: {grid: {vary: {rate: {slow: {trianing: {}}}}}}", "'trianing'"),
        ("runs: {grid: {predict: {depth: 3}}}", "predict: 'depth' is no axis"),
        ("runs: {grid: {datasets: [moon]}}", "'moon' is no data set"),
        ("runs: {grid: {training: {epoch: 3}}}", "runs: grid: training: unknown key 'epoch'"),
        ("runs: {grid: {keys: {kmers: 3}}}", "unknown key 'kmers'"),
        ("runs: {legnet: {model: legnat}}", "runs: legnet: model 'legnat'"),
        ("datasets: {dream: {train: dream-trian}}", "'dream-trian': neither a name in the catalogue"),
        (
            "datasets: {dream: {flanks: [ACGX, A]}}",
            "datasets.dream.flanks: found ['ACGX', 'A'], expected a list of 2 texts of A, C, G and T",
        ),
        ("results: ''", "results: found '', expected letters, at least 1"),
        ("device: tpu", "device: found 'tpu', expected one of cpu, cuda, auto"),
        ("atac: {sample: x}", "atac: unknown key 'sample'; did you mean 'samples'?"),
        ("atac: {peaks: broad}", "atac.peaks: found 'broad', expected one of bampe, cutsites"),
        ("atac: {windows: {lenght: 3}}", "atac.windows: unknown key 'lenght'; did you mean 'length'?"),
        ("atac: {samples: nowhere.tsv}", "nowhere.tsv: no such samples table"),
        ("atac: {genome: hg83-genome}", "'hg83-genome': neither a name in the catalogue"),
        ("atac: {species: human, genome_name: mm10}", "found the genome mm10 (mouse) for human reads"),
        ("datasets: {dream: {split: contig}}", "found 'contig', expected one of random"),
        ("datasets: {complex: {medium: minimal}}", "found 'minimal', expected one of complex"),
        ("evaluations: {native: {medium: both}}", "found 'both', expected one of complex"),
        ("datasets: {complex: {medium: defined}}", "found the medium complex, but the data set complex has defined"),
        ("datasets: {complex: {train: [dream-train, dream-trian]}}", "'dream-trian': neither a name in the catalogue"),
        ("evaluations: {native: {medium: poor}}", "found 'poor', expected one of complex"),
        ("evaluations: {native: {datasets: [moon]}}", "evaluations: native: 'moon' is no data set"),
        ("evaluations: {native: {datasets: [atac]}}", "evaluations: native: found atac, windows of a genome"),
        ("evaluations: {native: {file: nowhere.csv}}", "'nowhere.csv': neither a name in the catalogue"),
        ("evaluations: {native: {published: {DanQ: nowhere.csv}}}", "'nowhere.csv': neither a name"),
        ("evaluations: {native: {row: 3}}", "evaluations.native: unknown key 'row'; did you mean 'rows'?"),
        ("datasets: {dream: {part: secret}}", "found 'secret', expected one of private"),
        ("datasets: {dream: {train: simulated/trian_sequences.txt}}", "did you mean 'simulated/train_sequences.txt'?"),
        (
            "datasets: {dream: {submissions: {x: simulated/typo.json}}}",
            "'simulated/typo.json': not among what is",
        ),
        ("evaluations: {native: {file: simulated_vaishnav/nativ.csv}}", "not among what is simulated"),
        ("datasets: {dream: {fractions: {train: 0.9, validation: 0.2}}}", "expected fractions of 1 in all"),
        ("datasets: {dream: {folds: {number: 3, test: 3}}}", "expected a test fold below 3"),
        ("runs: {prixfixe: {vary: {core: {x: {keys: {core: bhii}}}}}}", "core is 'bhii'; did you mean 'bhi'?"),
        (
            "runs: {prixfixe: {keys: {options: {core: {lsmt: 3}}}}}",
            "runs: prixfixe: model composed: options of core block autosome: unknown key 'lsmt'",
        ),
        ("datasets: {dream: {leaderboard: [nowhere]}}", "'nowhere': neither a name in the catalogue"),
        ("datasets: {dream: {test: public, subsets: []}}", "found test: public, expected subsets and leaderboard"),
        ("datasets: {starrseq: {split_by: ''}}", "datasets: starrseq: cross_validation: found no split_by, expected"),
        ("datasets: {starrseq: {cross_validation: {trim: 4}}}", "found trim, which is for windows of a genome"),
        (
            "datasets: {hepg2: {cross_validation: {test: [0, 1], only: null}}}",
            "found 2 test folds and validation: others, expected at least 3",
        ),
        (
            "datasets: {starrseq: {cross_validation: {validation: {X: [chrX]}, only: [X]}}}",
            "found chrX in the test and the validation part of X",
        ),
        ("near: {within: 11}", "near.within: found 11, expected a whole number of at least 0 and at most 10"),
        ("near: {within: 2}", "expected warn_distance at most within"),
        ("profiles: {coverage: {test: coverge}}", "'coverge' is no data set; did you mean 'coverage'"),
        ("profiles: {coverage: {settings: {bns: [1]}}}", "profiles: coverage: settings: unknown key 'bns'"),
        ("datasets: {coverage: {windows: {windw: 5}}}", "datasets: coverage: windows: unknown key 'windw'"),
        ("datasets: {coverage: {windows: {bin: 5}}}", "datasets: coverage: windows: found bins of 5 bp"),
        ("explain: {runs: [legnt]}", "explain: found the run 'legnt'; did you mean 'legnet'"),
        ("explain: {attributed: [danqq]}", "explain: found the run 'danqq'; did you mean 'danq'"),
        ("explain: {task: growth}", "explain: found the task 'growth', none of complex; known: expression"),
        ("explain: {datasets: {complex: {task: growth}}}", "explain: datasets: complex: found the task 'growth'"),
        ("explain: {known: jaspar24/fungi}", "explain: known: found jaspar24/fungi, expected a group of one of jaspar"),
        ('explain: {"null": [dinucleotide, shuffled]}', "explain.null: found ['dinucleotide', 'shuffled']"),
        ("explain: {datasets: {complx: {}}}", "explain: datasets: found 'complx'; did you mean 'complex'"),
        ("explain: {datasets: {complex: {edit: 3}}}", "explain: datasets: complex: unknown key 'edit'"),
        ("explain: {datasets: {complex: {known: 5}}}", "explain.datasets.complex.known: found 5"),
        ("explain: {datasets: {complex: {edits: 0}}}", "explain: datasets: complex: edits"),
    ],
)
def test_wrong_configurations_are_refused_by_name(root, tmp_path, change, message):
    (tmp_path / "overlay.yaml").write_text(change)
    with pytest.raises(InputError, match=re.escape(message)):
        Results(read_configuration([tmp_path / "overlay.yaml"], root)[0], root)


def test_jaspar_is_missed_before_the_run(root, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyjaspar", None)
    (tmp_path / "o.yaml").write_text("explain: {known: jaspar2024/fungi}")
    with pytest.raises(InputError, match="explain: JASPAR: not installed; `make explain`"):
        Results(read_configuration([tmp_path / "o.yaml"], root)[0], root)


@pytest.mark.parametrize(
    ("keys", "wrong", "known"),
    [
        ("train: mine.tsv", "growth", "mass, yield"),
        ("train: mine.tsv, targets: [yield]", "expression", "yield"),
        ("source: coverage, genome: genome.fa, tracks: {cell1: a.bw, cell2: b.bw}", "expression", "cell1, cell2"),
    ],
)
def test_tasks_that_a_data_set_lacks_are_found_before_the_run(root, tmp_path, monkeypatch, keys, wrong, known):
    (tmp_path / "mine.tsv").write_text("sequence\tmass\tyield\nACGT\t1\t2\n")
    monkeypatch.chdir(tmp_path)
    sections = (
        f"datasets: {{mine: {{{keys}}}}}",
        "runs: {danq: {datasets: [mine]}}",
        f"explain: {{runs: [danq], task: {wrong}}}",
    )
    (tmp_path / "o.yaml").write_text("\n".join(["demo: false", "near: null", *sections]))
    config = read_configuration([tmp_path / "o.yaml"], root)[0]
    with pytest.raises(InputError, match=f"found the task '{wrong}', none of mine; known: {known}"):
        check(config)
    config["explain"]["task"] = known.split(", ")[0]
    check(config)


def test_models_that_are_attributed_alone_are_named(root, tmp_path):
    (tmp_path / "o.yaml").write_text("explain: {runs: [legnet], attributed: [legnet, danq, architectures]}")
    results = Results(read_configuration([tmp_path / "o.yaml"], root)[0], root)
    assert [job.run for job in explained.attributed(results, "complex")] == ["danq"]
    assert yaml.safe_load(commands.study_settings(results, "complex"))["attributed"] == ["danq"]


def test_a_data_set_is_asked_questions_of_its_own(root, tmp_path):
    own = "{complex: {edits: 2, known: yeast-motifs-yetfasco}, dream: null}"
    (tmp_path / "o.yaml").write_text(f"explain: {{edits: 7, datasets: {own}}}")
    results = Results(read_configuration([tmp_path / "o.yaml"], root)[0], root)
    assert [explained.questions(results, name)["edits"] for name in ("complex", "dream")] == [2, 7]
    assert explained.known_motifs(results, "complex") == [results.raw("yeast-motifs-yetfasco")]
    assert not explained.known_motifs(results, "dream")
    assert "motifs" in explained.tables(results, "complex")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("result: x", "unknown key 'result'; did you mean 'results'?"),
        ("atac: {samples: nowhere.tsv}", "nowhere.tsv: no such samples table"),
    ],
)
def test_snakemake_refuses_them_without_a_traceback(overlay, change, message):
    """By the schema, and by what no schema can say."""
    code, text = overlay(change)
    assert code == 2
    assert message in text.splitlines()[-1]
    assert "Traceback" not in text


def test_a_file_that_snakemake_would_not_explain(fresh, tmp_path):
    (tmp_path / "latin-1.yaml").write_bytes(b"points_per_job: 8\nresults: r\xe9sultats\n")
    code, text = dry_run(fresh, "--configfile", "config/sample.yaml", str(tmp_path / "latin-1.yaml"))
    assert code == 2
    assert text == f"configuration: error: {tmp_path}/latin-1.yaml:2: found the byte 0xe9, expected UTF-8 text\n"


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("sample\tread1\tread2\nA\tx\ty\nA\tz\tw\n", "line 3: sample 'A' is listed twice"),
        ("sample\tread1\tread2\nA\tx\t\n", "line 2: sample 'A' has no read2"),
        ("sample\tread1\tread2\nA\tx.fastq\ty.fastq\n", "'x.fastq': neither a name in the catalogue"),
    ],
)
def test_wrong_samples_tables_are_refused_by_line(root, tmp_path, rows, message):
    (tmp_path / "samples.tsv").write_text(rows)
    (tmp_path / "overlay.yaml").write_text(f"atac: {{samples: {tmp_path}/samples.tsv}}")
    with pytest.raises(InputError, match=re.escape(message)):
        Results(read_configuration([tmp_path / "overlay.yaml"], root)[0], root)


def test_no_score_without_the_files_of_the_challenge(overlay):
    code, text = overlay("datasets: {dream: {leaderboard: []}}")
    assert code == 0, text
    assert not {"score", "figures_4_dream", "report_card_scores"} & rules_of(text)


def test_sample_scores_all_measured_sequences_or_the_public_ones(overlay):
    code, text = overlay("seeds: [1]", "config/sample.yaml")
    assert code == 0, text
    assert {"column", "score", "figures_4_dream"} <= rules_of(text)
    code, text = overlay("datasets: {dream: {test: public}}", "config/sample.yaml")
    assert code == 0, text
    assert {"public_test", "score", "figures_4_dream"} <= rules_of(text)


def test_figures_of_all_rows_want_the_whole_test_set(root, tmp_path):
    """Of the rows that public files name, too few are known to score all, or to train ensembles and score others."""
    (tmp_path / "o.yaml").write_text("datasets: {dream: {test: public}}")
    names = []
    for overlay in ([], [tmp_path / "o.yaml"]):
        results = Results(read_configuration([root / "config/sample.yaml", *overlay], root)[0], root)
        names.append({figure.name for figure in shown.figures(results)})
    assert {"fig4ensembles_dream_run", "fig4leading_dream_run"} <= names[0] - names[1]
    assert "fig4correlations_dream_run" in names[0] & names[1]


def rules_of(text):
    return {line.split()[0] for line in text.splitlines() if re.match(r"^\w+ +\d+$", line)}


@pytest.mark.parametrize(
    ("rows", "some", "none"),
    [
        ("sample\tbam\nA\tA.bam\nB\tB.bam\n", {"atac_mark", "atac_peaks"}, {"atac_align", "atac_trim", "atac_index"}),
        ("sample\tfragments\nA\tA.tsv.gz\n", {"atac_fragments", "atac_peaks"}, {"atac_mark", "atac_index"}),
        ("sample\tpeaks\tbigwig\nA\tA.bed\tA.bw\n", {"atac_windows"}, {"atac_peaks", "atac_signal", "atac_pool"}),
        (
            "sample\tread1\tread2\tbam\nA\tA_1.fq\tA_2.fq\t\nB\t\t\tB.bam\n",
            {"atac_align", "atac_mark", "atac_pool"},
            set(),
        ),
    ],
)
def test_an_experiment_starts_where_its_files_begin(overlay, tmp_path, rows, some, none):
    for name in set(re.findall(r"[AB]\w*(?:\.\w+)+", rows)):
        (tmp_path / name).touch()
        rows = re.sub(rf"(?<=\t){re.escape(name)}(?=[\t\n])", str(tmp_path / name), rows)
    (tmp_path / "samples.tsv").write_text(rows)
    (tmp_path / "genome.fa").touch()
    code, text = overlay(f"atac: {{samples: {tmp_path}/samples.tsv, genome: {tmp_path}/genome.fa, blacklist: null}}")
    assert code == 0, text
    assert some <= rules_of(text)
    assert not none & rules_of(text)


def test_without_evaluation_sets_their_part_is_not_there(overlay):
    for text in ("evaluations: null", "evaluations: {native: null, random: null, drift: null}"):
        code, text = overlay(text)
        assert code == 0, text
        assert not {"measured", "peers", "figures_5_complex"} & rules_of(text)


def test_paper_draws_figure_5_for_both_media(paper):
    assert {"rule figures_5_complex:", "rule figures_5_defined:"} <= set(paper.splitlines())
    assert paper.count("rule nearest:") == 16


def test_without_an_experiment_its_part_is_not_there(overlay):
    code, text = overlay("atac: null")
    assert code == 0, text
    assert any(name.startswith("train_pack_dream") for name in rules_of(text))
    assert not any(name.startswith(("atac", "figures_3", "train_pack_atac")) for name in rules_of(text))


@pytest.mark.skipif("PROFORMER_MIRROR" not in os.environ, reason="PROFORMER_MIRROR names no folder with public files")
def test_sample_data_are_read_from_a_mirror_and_counted(root, tmp_path):
    import pandas as pd
    from checkouts import checkout, snakemake_in

    folder = checkout(root, tmp_path)
    done = snakemake_in(folder)(
        "--configfile", "config/sample.yaml", "--config", f"mirror={os.environ['PROFORMER_MIRROR']}",
        "--", "results/sample/tables/dream/filtered.tsv", "results/sample/tables/dream/split/seed~1.tsv",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    counts = pd.read_csv(folder / "results/sample/tables/dream/filtered.tsv", sep="\t").set_index("what")["count"]
    assert counts[["rows", "too_long", "kept", "with_n"]].tolist() == [6370, 3, 6367, 25]
    provenance = pd.read_csv(
        folder / "results/sample/tables/provenance/dream-train-sample/demo_train.txt.tsv", sep="\t"
    ).iloc[0]
    assert provenance["obtained_from"] == "mirror"
    assert provenance["expected"] == provenance["found"]


def test_every_process_gives_logs_and_benchmarks_the_same_names(fresh, monkeypatch):
    """Snakemake starts itself anew for each job; the order of sets differs between its processes."""
    names = []
    for seed in range(4):
        monkeypatch.setenv("PYTHONHASHSEED", str(seed))
        code, text = dry_run(fresh)
        assert code == 0, text
        names.append(sorted(re.findall(r"^    (?:log|benchmark): (.*)$", text, re.MULTILINE)))
    assert names[0]
    assert names[0] == names[1] == names[2] == names[3]
