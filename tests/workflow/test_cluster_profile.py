"""What the Slurm profile asks for, rule by rule; tests/slurm runs it."""

import re

import pytest
import yaml


@pytest.fixture
def asked(fresh, root, tmp_path):
    """Resources of all jobs that a dry run with the profile lists, by rule; the profile may be edited first."""

    def run(overlay, **gpu_rules):
        profile = yaml.safe_load((root / "slurm/config.yaml").read_text())
        profile["set-resources"] |= gpu_rules
        del profile["logger"]  # which shows no resources
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(profile))
        (tmp_path / "overlay.yaml").write_text(overlay)
        done = fresh("--profile", str(tmp_path), "--configfile", str(tmp_path / "overlay.yaml"), "--dry-run")
        assert done.returncode == 0, done.stdout + done.stderr
        found = {}
        for text in re.split(r"\n(?=(?:local)?rule \w+:)", done.stdout + done.stderr)[1:]:
            rule, line = re.match(r"(?:local)?rule (\w+)", text)[1], re.search(r"resources: (.*)", text)
            found.setdefault(rule, []).append(dict(re.findall(r"(\w+)=([^,]*)", line[1] if line else "")))
        return found

    return run


@pytest.mark.parametrize("overlay", ["{device: cuda, points_per_job: 1}", "{device: cuda, points_per_job: 3}"])
def test_every_job_with_a_gpu_is_one_of_the_gpu_partition(asked, overlay):
    found = asked(overlay)
    with_gpu = {rule for rule, jobs in found.items() if any(int(job.get("gpu", 0)) for job in jobs)}
    assert {rule.split("_")[0] for rule in with_gpu} == {"explain", "predict", "profiles", "train"}
    for rule, jobs in found.items():
        for job in [] if rule == "all" else jobs:
            assert job["slurm_partition"] == ("gpu" if rule in with_gpu else "cpu"), rule
            assert ("--signal=TERM@" in job.get("slurm_extra", "")) == (rule in with_gpu), rule


def test_without_a_gpu_no_job_goes_to_the_gpu_partition(asked):
    found = asked("{device: cpu}")
    assert {job["slurm_partition"] for rule in found if rule != "all" for job in found[rule]} == {"cpu"}


def test_no_job_asks_for_less_memory_than_snakemake_takes_on_the_node(asked):
    """Two processes of it run beside what the rule does, of more than 100 MB each."""
    memory = [(job["mem_mb"], rule) for rule, jobs in asked("{}").items() if rule != "all" for job in jobs]
    known = [(int(megabytes), rule) for megabytes, rule in memory if megabytes != "<TBD>"]  # by the size of inputs
    assert len(known) > 50
    assert min(known)[0] >= 500, min(known)


def test_variant_with_gres(asked):
    found = asked(
        "{device: cuda, points_per_job: 1}",
        with_gpu={"slurm_partition": "gpu", "gpu": 0, "gres": "'gpu:h100:1'", "gpu_jobs": 1},
    )
    for job in found["train"]:
        assert (job["gpu"], job["gres"], job["gpu_jobs"]) == ("0", "gpu:h100:1", "1")


def test_entry_of_a_rule_wins(asked):
    found = asked("{device: cuda, points_per_job: 1}", train={"slurm_partition": "big"})
    assert {job["slurm_partition"] for job in found["train"]} == {"big"}
    assert {job["slurm_partition"] for job in found["predict_dream_1"]} == {"gpu"}


def test_every_name_of_the_profile_is_explained(root):
    """Each key has a comment, beside it or above it."""
    lines = (root / "slurm/config.yaml").read_text().splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if re.match(r"[a-z-]+: \S", line):
            assert "#" in line or before.startswith("#") or line.startswith(("executor:", "slurm-")), line


def test_fetching_alone_prepares_all_downloads(fresh, paper):
    from proformer.sources.catalogue import load_catalogue

    done = fresh("--configfile", "config/paper.yaml", "--until", "fetch", "--dry-run")
    text = done.stdout + done.stderr
    assert done.returncode == 0, text
    assert set(re.findall(r"^(?:local)?rule (\w+):", text, re.MULTILINE)) == {"fetch"}
    fetched = set(re.findall(r"wildcards: name=([^,]+)", text))
    needed = set(re.findall(r"results/paper/data/raw/([^/\s,]+)/", paper))
    assert fetched == needed
    assert fetched <= load_catalogue().keys()
