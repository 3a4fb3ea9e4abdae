"""Nothing is lost: what a command reads is never written to, and what it writes appears whole or not at all."""

import errno
import os
import platform
import re
import signal
import subprocess
import sys
import threading

import pytest

from proformer.cli import main
from proformer.errors import InputError, printable
from proformer.files import InputFolder, Output, OutputFolder, atomic, existing, protected, scratch, write_text


@pytest.fixture
def text(tmp_path):
    path = tmp_path / "in.txt"
    path.write_text("ACGT\t1\n")
    return path


def refused(arguments):
    with protected(arguments):
        pytest.fail("begun")


def test_an_output_that_is_an_input_is_refused(text, tmp_path):
    (tmp_path / "link").symlink_to(tmp_path)
    for name in (text, tmp_path / "link/in.txt", tmp_path / "../" / tmp_path.name / "in.txt"):
        with pytest.raises(InputError, match=r"in.txt: is an input as well as an output"):
            refused([text, [Output(name)]])
    (tmp_path / "other").symlink_to(text)
    with pytest.raises(InputError, match="is an input as well"):  # what an input's link points to
        refused([tmp_path / "other", Output(text)])
    replaced = [text, Output(tmp_path / "other")]  # a link may be: nothing is lost
    with protected(replaced), pytest.raises(InputError, match="is an input as well"):
        write_text(text, "lost")
    assert text.read_text() == "ACGT\t1\n"


def test_an_output_named_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="a: named twice as an output"):
        refused([Output(tmp_path / "a"), None, [Output(tmp_path / "b"), Output(tmp_path / "./a")]])
    with protected([Output("/dev/null"), Output("/dev/null")]):
        pass


def test_an_output_within_an_input_folder_is_refused(tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "model")
    outputs = Output(tmp_path / "link/p.tsv"), OutputFolder(tmp_path / "model/x"), OutputFolder(tmp_path / "link")
    for output in outputs:
        with pytest.raises(InputError, match=r"lies in .*model, which is an input, expected another place"):
            refused([[InputFolder(tmp_path / "model")], output])
    with protected([InputFolder(tmp_path / "model"), Output(tmp_path / "model.tsv"), OutputFolder(tmp_path)]):
        pass


def test_folders_and_files_are_not_taken_for_each_other(text, tmp_path):
    with pytest.raises(InputError, match="found a folder, expected a file to write"):
        refused([Output(tmp_path)])
    with pytest.raises(InputError, match="found a file, expected a folder to write into"):
        refused([OutputFolder(text)])
    with pytest.raises(InputError, match="found a folder"), atomic(tmp_path):
        pass


@pytest.mark.parametrize(
    "words",
    [
        ["train", "--config", "in.txt", "--train", "a", "--validation", "b", "--out", "c", "--checkpoint", "in.txt"],
        ["pages", "--captions", "in.txt", "--tables", ".", "--out", "in.txt"],
        ["describe", "--config", "{}", "in.txt", "--out", "a.json", "in.txt"],
        ["predict", "--model", "model", "--sequences", "in.txt", "--out", "model/p.tsv"],
        ["public-test", "--subsets", "model", "--leaderboard", "in.txt", "--out", "model/p.tsv"],
    ],
)
def test_outputs_that_are_settings_or_within_a_model(text, tmp_path, monkeypatch, capsys, words):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert re.search(r"error: (in|model/p)\.t.* expected (another|a folder)", capsys.readouterr().err)
    assert text.read_text() == "ACGT\t1\n"


@pytest.mark.parametrize(
    "words", [["trim", "--report", "r.json", "--out", "in.txt", "b"], ["check", "--out", "in.txt"]]
)
def test_verbs_refuse_it_before_anything_is_read(text, tmp_path, monkeypatch, capsys, words):
    monkeypatch.chdir(tmp_path)
    more = ["--sample", "a"] if words[0] == "check" else []
    assert main(["atac", *words, *more, "--reads", "in.txt", "missing"]) == 2
    assert capsys.readouterr().err == (
        "proformer atac: error: in.txt: is an input as well as an output, expected another file to write\n"
    )


def test_devices_and_pipes_are_written_into(tmp_path):
    write_text("/dev/null", "gone")
    assert os.stat("/dev/null").st_rdev
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_text(pipe, "into it")
    reader.join()
    assert read == ["into it"]
    assert pipe.is_fifo()


@pytest.mark.parametrize("place", [">", "|"])
def test_standard_output_is_written_into(tmp_path, place):
    code = "from proformer.files import write_text; print('a'); write_text('/dev/stdout', 'b\\n'); print('c')"
    with open(tmp_path / "out", "wb") if place == ">" else open(os.devnull, "wb") as handle:
        stream = handle if place == ">" else subprocess.PIPE
        done = subprocess.run([sys.executable, "-c", code], stdout=stream, check=True)
    found = (tmp_path / "out").read_bytes() if place == ">" else done.stdout
    assert found == b"a\nb\nc\n"


def test_a_link_at_the_temporary_name_is_not_followed(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / f".out.{platform.node()}.{os.getpid()}.part").symlink_to(victim)
    write_text(tmp_path / "out", "new")
    assert (victim.read_text(), (tmp_path / "out").read_text()) == ("kept", "new")


def test_files_have_the_permissions_of_the_umask(tmp_path):
    def write_private(temporary):
        temporary.unlink()
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT, 0o600))

    before = os.umask(0o027)
    try:
        with atomic(tmp_path / "out") as temporary:
            write_private(temporary)
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o640


def test_what_dead_processes_left_is_removed(tmp_path):
    dead = subprocess.Popen(["true"])
    dead.wait()
    left = [f".out.{platform.node()}.{dead.pid}.part", f".out.scratch.{platform.node()}.{dead.pid}.part"]
    (tmp_path / left[0]).write_text("half")
    (tmp_path / left[1]).mkdir()
    others = [f".out.{platform.node()}.1.part", f".out.elsewhere.{dead.pid}.part", ".out.part"]
    for name in others:
        (tmp_path / name).write_text("of a living process, or of another machine")
    with scratch(tmp_path / "out"):
        write_text(tmp_path / "out", "whole")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["out", *others])


def test_sigterm_leaves_nothing(tmp_path):
    code = (
        "import time\nfrom proformer.errors import ending_in_order\nfrom proformer.files import atomic\n"
        f"with ending_in_order(), atomic({str(tmp_path / 'out')!r}):\n    print(flush=True)\n    time.sleep(60)"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    process.stdout.readline()
    process.terminate()
    assert process.wait() == -signal.SIGTERM
    assert list(tmp_path.iterdir()) == []


def test_a_block_that_comes_to_ignore_sigterm_is_not_ended_by_it_on_the_way_out(tmp_path):
    code = (
        "import os, signal\nfrom proformer.errors import ending_in_order\n"
        "with ending_in_order():\n    signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "os.kill(os.getpid(), signal.SIGTERM)\nraise SystemExit(75)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 75


def test_a_full_disk_names_the_file(tmp_path):
    with pytest.raises(OSError, match="No space left") as caught:
        write_text("/dev/full", "x" * 100_000)
    assert printable(caught.value) == "/dev/full: No space left on device"
    with pytest.raises(OSError, match="No space left") as caught, atomic(tmp_path / "out"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert printable(caught.value) == f"{tmp_path}/out: No space left on device"
    assert list(tmp_path.iterdir()) == []


def test_what_is_there_and_what_is_not(text, tmp_path, monkeypatch):
    assert existing(text) == text
    with pytest.raises(InputError, match="no such store; `make` makes it"):
        existing(tmp_path / "none", "store", "`make` makes it")
    with pytest.raises(InputError, match="found a folder, expected a file"):
        existing(tmp_path)
    with pytest.raises(InputError, match="found a device or pipe"):
        existing("/dev/null")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    with pytest.raises(InputError, match=r"in.txt: permission denied"):
        existing(text)


def test_errors_are_one_printable_line():
    assert printable(InputError("a\x1b[31m\nb\tµ→")) == "a\\x1b[31m\\nb\\tµ→"
    assert printable(FileNotFoundError(2, "No such file or directory", "a")) == "a: No such file or directory"
