"""What `proformer status` makes of the files of a run."""

import csv
import io
import json
import os

import pytest

from proformer.errors import InputError
from proformer.planning.cost import job_costs, known_costs
from proformer.points import TrainingJob
from proformer.status import as_json, as_text, as_tsv, read_jobs, read_points, summarise, total_line, write_jobs

NOW = 1_800_000_000.0


def job(name, dataset="dream", epochs=10, **model):
    model = {"model": "proformer", "dim": 8, "heads": 1, "blocks": 1} | model
    config = {"model": model, "training": {"epochs": epochs}}
    data = {"length": 100, "flanks": ["", ""]}
    return TrainingJob(f"dataset~{dataset}/{name}", name, dataset, 1, config, data=data)


class Files:
    """A results folder with one file at a time."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, name, text, age=0.0):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        os.utime(path, (NOW - age, NOW - age))

    def log(self, job, text, age=0.0):
        self.write(f"logs/train/{job.path}.log", text, age)

    def progress(self, job, state, age=5.0, **fields):
        known = {"state": state, "updated": NOW - age, "host": "gpu07", "slurm_job": "812", "process": 1}
        self.write(f"checkpoints/{job.path}.progress.json", json.dumps(known | fields))

    def done(self, job, rates=(1000.0, 3000.0), where="models/{}"):
        folder = where.format(job.path)
        rows = "".join(f"{i}\t0.{4 + i}\t{rate}\n" for i, rate in enumerate(rates, start=1))
        self.write(f"{folder}/metrics.tsv", "epoch\tvalidation_r\tsequences_per_second\n" + rows)
        settings = {"epochs": len(rates), "batch_size": 16, "epoch_batches": None}
        description = {"best_epoch": len(rates), "training": settings, "data": {"train": 36_000}}
        self.write(f"{folder}/model.json", json.dumps(description))
        self.write(f"{folder}/SHA256SUMS", "")
        (self.folder / f"checkpoints/{job.path}.progress.json").unlink(missing_ok=True)


@pytest.fixture
def files(tmp_path):
    return Files(tmp_path)


def at(files, *jobs, minutes=10):
    points = read_points(files.folder, jobs, minutes, NOW)
    return points if len(points) > 1 else points[0]


def test_done_has_the_best_epoch_and_the_mean_rate(files):
    files.done(job("a"))
    point = at(files, job("a"))
    assert (point.state, point.epoch, point.best_epoch, point.best_r) == ("done", 2, 2, 0.6)
    assert point.sequences_per_second == pytest.approx(1500)  # as many sequences at 1,000 as at 3,000 per second
    assert point.hours_left == 0


def test_a_member_of_a_pack_is_done_before_the_pack(files):
    files.done(job("a"), where="checkpoints/{}.finished")
    assert at(files, job("a")).state == "done"


def test_a_folder_that_is_not_complete_is_not_done(files):
    files.done(job("a"))
    (files.folder / "models/dataset~dream/a/SHA256SUMS").unlink()
    assert at(files, job("a")).state == "waiting"


def test_a_model_that_is_trained_again_is_not_done(files):
    files.done(job("a"))
    files.progress(job("a"), "failed", reason="InputError: no such store")
    assert (at(files, job("a")).state, at(files, job("a")).message) == ("failed", "InputError: no such store")


ODD = ["{", "", "[]", "3", "{}", '{"state": 3, "updated": 1}', '{"state": "running"}', "[" * 10**6, "\0\xff"]


@pytest.mark.parametrize("text", [*ODD, '{"best_epoch": "x", "training": 3}', "x\ty\n1\t2\n"])
@pytest.mark.parametrize(
    "name", ["models/{}/model.json", "models/{}/metrics.tsv", "checkpoints/{}.progress.json", "costs.json"]
)
def test_a_damaged_file_is_said_of_its_point_and_hides_no_other(files, name, text):
    a, b = job("a"), job("b")
    files.done(a)
    files.done(b)
    files.write(name.format(a.path), text)
    first, second = at(files, a, b)
    assert second.state == "done"
    place = name.format(a.path) if "progress" in name else f"models/{a.path}"
    if name != "costs.json":
        assert (first.state, first.message.split(" (")[0]) == ("failed", f"{files.folder}/{place}: damaged")


def test_epochs_are_those_of_the_recipe_before_anything_has_begun(files):
    legnet = TrainingJob("a", "a", "dream", 1, {"model": {"model": "legnet"}, "training": {}}, data={"length": 100})
    assert at(files, legnet).epochs == 80
    costs, _ = job_costs([legnet], files.folder / "costs.json")
    assert known_costs([legnet], files.folder / "costs.json") == costs
    assert at(files, legnet).epochs == 80


FIELDS = {"epoch": 2, "epochs": 10, "step": 50, "steps": 200, "sequences": 36_000, "best_epoch": 1, "best_r": 0.5}


def test_running_says_where_how_far_and_how_long(files):
    files.progress(job("a"), "running", sequences_per_second=100.0, **FIELDS)
    point = at(files, job("a"))
    assert (point.state, point.epoch, point.epochs, point.best_r) == ("running", 2, 10, 0.5)
    assert (point.host, point.slurm_job) == ("gpu07", "812")
    assert point.hours_left == pytest.approx(0.75)  # three quarters of 10 × 36,000 sequences at 100 per second


def test_running_without_a_sign_of_life_is_silent(files):
    files.progress(job("a"), "running", age=25 * 60, **FIELDS)
    files.log(job("a"), "epoch 1\nslurmstepd: oom_kill event\n\n")
    point = at(files, job("a"))
    assert point.state == "silent"
    assert "no sign of life for 25 min; slurmstepd: oom_kill event" in as_text([point])
    assert at(files, job("a"), minutes=30).state == "running"


def test_of_a_silent_job_slurm_knows_more(files):
    files.progress(job("a"), "running", age=25 * 60, **FIELDS)
    files.log(job("a"), "epoch 1\n")
    files.write("logs/slurm/rule_train/a/812.log", "x\nslurmstepd: error: *** JOB 812 DUE TO TIME LIMIT ***\nbye\n")
    assert at(files, job("a")).message == "slurmstepd: error: *** JOB 812 DUE TO TIME LIMIT ***"


def test_failures_have_their_reason_or_the_last_line_of_their_log(files):
    a, b, c = job("a"), job("b"), job("c")
    files.progress(a, "failed", reason="InputError: device cuda: sees no GPU")
    files.log(b, "host x\nconda: command not found\n")
    files.log(c, "host x\nepoch 3/3 all is well\n", age=3600)  # of a run whose models were removed
    points = at(files, a, b, c)
    assert [point.state for point in points] == ["failed", "failed", "waiting"]
    assert points[0].message == "InputError: device cuda: sees no GPU"
    assert points[1].message == "conda: command not found"


def test_a_stopped_training_is_to_be_run_again(files):
    files.progress(job("a"), "stopped", age=1e6, **FIELDS)
    assert at(files, job("a")).state == "stopped"
    assert "saved; goes on when run again" in as_text([at(files, job("a"))])


def test_a_job_that_has_just_begun_its_log_is_running(files):
    files.log(job("a"), "host x\n", age=2)
    assert at(files, job("a")).state == "running"


def test_time_left_follows_from_the_same_model_and_from_the_nearest_in_size(files):
    small, twin, large = job("small"), job("twin"), job("large", dim=64, blocks=4)
    odd = job("odd")
    odd.config["model"] = {"model": "danq"}
    elsewhere = job("elsewhere", dataset="atac")
    files.progress(small, "running", sequences_per_second=100.0, **FIELDS)
    points = at(files, small, twin, large, odd, elsewhere)
    assert points[1].hours_left == pytest.approx(1)
    flops = [cost.training_flops for cost in job_costs([small, large, odd])[0].values()]
    factor, other = flops[1] / flops[0], flops[2] / flops[0]
    assert points[2].hours_left == pytest.approx(factor)
    assert points[3].hours_left == pytest.approx(other)
    assert points[4].hours_left is None  # of its data set nothing was seen
    total = summarise(points)
    assert total.training_hours == pytest.approx(0.75 + 1 + factor + other)
    assert (total.unknown, total.at_once) == (1, 1)
    assert total.hours == pytest.approx(total.training_hours)


def test_time_left_is_at_least_that_of_the_longest_running(files):
    a, b = job("a"), job("b")
    files.progress(a, "running", sequences_per_second=10.0, **FIELDS)
    files.progress(b, "running", sequences_per_second=1000.0, **FIELDS)
    total = summarise(at(files, a, b))
    assert total.at_once == 2
    assert total.hours == pytest.approx(7.5)
    assert total.training_hours == pytest.approx(7.575)


def test_totals_in_a_line(files):
    a, b = job("a"), job("b")
    assert total_line(at(files, a, b)) == "2 points: 2 waiting; time left not known yet"
    files.done(a)
    files.progress(b, "running", sequences_per_second=100.0, **FIELDS)
    assert total_line(at(files, a, b)) == (
        "2 points: 1 running, 1 done; 45 min of training left; about 45 min with 1 at once"
    )
    files.done(b)
    assert total_line(at(files, a, b)) == "2 points: 2 done"


def test_a_short_table_shows_what_matters_and_counts_the_rest(files):
    jobs = [job(name) for name in "abcd"]
    files.progress(jobs[3], "failed", reason="broken")
    lines = as_text(at(files, *jobs), rows=1).splitlines()
    assert "broken" in lines[1]
    assert lines[2] == "... and 3 more"


def test_tables_for_programs(files):
    files.done(job("a"))
    points = at(files, job("a"), job("b"))
    rows = list(csv.DictReader(io.StringIO(as_tsv(points)), delimiter="\t"))
    assert [row["state"] for row in rows] == ["done", "waiting"]
    assert [row["best_r"] for row in rows] == ["0.6", ""]
    assert json.loads(as_json(points, summarise(points)))["total"]["counts"]["waiting"] == 1


def test_the_list_of_jobs_is_read_as_written(tmp_path):
    jobs = [job("a"), job("b", dataset="atac")]
    write_jobs(tmp_path / "jobs.json", jobs)
    assert read_jobs(tmp_path / "jobs.json") == jobs
    with pytest.raises(InputError, match=r"no such file; a run writes it when it starts"):
        read_jobs(tmp_path / "none.json")
    (tmp_path / "models" / jobs[0].path).mkdir(parents=True)
    (tmp_path / "models" / jobs[0].path / "SHA256SUMS").touch()
    write_jobs(tmp_path / "jobs.json", [job("c")])  # what is done stays in the list
    assert read_jobs(tmp_path / "jobs.json") == [job("c"), jobs[0]]
    (tmp_path / "jobs.json").write_text("{")
    with pytest.raises(InputError, match="expected a list of trainings"):
        read_jobs(tmp_path / "jobs.json")


def test_the_command(proformer, files, root):
    files.done(job("a"))
    write_jobs(files.folder / "jobs.json", [job("a"), job("b")])
    done = proformer("status", "--results", files.folder, "--only", "waiting")
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 3
    assert "2 points: 1 done, 1 waiting" in done.stdout
    assert proformer("status", "--results", files.folder, "--only", "lost").returncode == 2
    computed = proformer("status", "--configfile", "config/paper.yaml", "--tsv", cwd=root)
    assert computed.returncode == 0, computed.stderr
    assert len(computed.stdout.splitlines()) > 124


def test_other_jobs_that_failed_are_listed(proformer, files):
    write_jobs(files.folder / "jobs.json", [job("a")])
    files.write(
        "logs/prepare/mine.log", "host x\nproformer prepare: error: mine.tsv, line 3: found 'x', expected a number\n"
    )
    files.write("logs/prepare/good.log", "host x\nall is well\n")
    done = proformer("status", "--results", files.folder)
    assert done.stdout.count("expected a number") == 1
    assert "good" not in done.stdout


def test_watching_ends_when_all_is_done(proformer, files):
    files.done(job("a"))
    write_jobs(files.folder / "jobs.json", [job("a")])
    done = proformer("status", "--results", files.folder, "--watch", timeout=60)
    assert done.stdout.rstrip().endswith("1 point: 1 done")
