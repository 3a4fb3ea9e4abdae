"""Whole files for all cases."""

import multiprocessing
import os
from pathlib import Path

import cases
import pytest


@pytest.fixture(scope="session")
def inputs(tmp_path_factory):
    folder, before = tmp_path_factory.mktemp("inputs"), Path.cwd()
    os.chdir(folder)
    child = multiprocessing.get_context("fork").Process(target=cases.write_inputs, args=(folder,))
    child.start()
    child.join()
    os.chdir(before)
    assert child.exitcode == 0
    return folder


@pytest.fixture(scope="session")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz")
