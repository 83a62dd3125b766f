"""``jsdiv cache``, and what the command says while it compiles."""

import io
import logging
import time

import pytest

from jsdiv_numba import cache, cli, cli_cache
from jsdiv_numba._kernels import build as builder
from jsdiv_numba._kernels import catalog
from jsdiv_numba._kernels.cache import folder as on_disk
from jsdiv_numba._kernels.linking import Object


@pytest.fixture(autouse=True)
def _few_kernels(tmp_path, monkeypatch):
    few = {"entropy_term": catalog.UFUNCS["entropy_term"]}
    monkeypatch.setattr(catalog, "KERNELS", few)
    monkeypatch.setattr(builder, "KERNELS", few)
    monkeypatch.setenv("JSDIV_NUMBA_CACHE_DIR", str(tmp_path / "kernels"))
    monkeypatch.delenv("JSDIV_NUMBA_CACHE", raising=False)
    monkeypatch.chdir(tmp_path)


def test_info_build_and_clear(capsys, tmp_path):
    assert cli.main(["cache", "build", "--workers", "1"]) == 0
    done = capsys.readouterr()
    assert done.out.startswith(f"Compiled 2 kernels into {tmp_path / 'kernels'}")
    assert done.err.endswith("\r2 of 2 kernels\n")
    assert cli.main(["cache", "info"]) == 0
    lines = dict(line.split(":", 1) for line in capsys.readouterr().out.splitlines())
    assert lines["folder"].strip() == str(cache.info().folder)
    assert lines["kernels"].strip().startswith("2 of 2, 0.0 MB")
    assert lines["used"].strip() == "yes"
    assert cli.main(["cache", "build", "-q"]) == 0
    assert capsys.readouterr() == (f"Compiled 0 kernels into {cache.info().folder}\n", "")
    assert cli.main(["cache", "clear"]) == 0
    assert capsys.readouterr().out == "Removed 2 kernels\n"


def test_what_is_not_used_is_said(capsys, monkeypatch):
    monkeypatch.setenv("JSDIV_NUMBA_CACHE", "0")
    assert cli.main(["cache", "info"]) == 0
    assert "no: JSDIV_NUMBA_CACHE switches it off" in capsys.readouterr().out
    assert cli.main(["cache", "build"]) == 2
    assert "compiled kernels cannot be kept: JSDIV_NUMBA_CACHE" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target", "x86-64-v3"], "--target and --output go together."),
        (["-o", "kernels"], "--target and --output go together."),
        (["--target", "z80", "-o", "kernels"], "be one of x86-64-v4, x86-64-v3. See"),
    ],
)
def test_a_wrong_target_is_one_line(arguments, message, capsys):
    assert cli.main(["cache", "build", *arguments]) == 2
    assert message in capsys.readouterr().err


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "seconds"), [(Terminal, 0.3), (Terminal, 0), (io.StringIO, 0.3)]
)
def test_what_takes_its_time_to_compile_is_said_once_on_a_terminal(stream, seconds, monkeypatch):
    monkeypatch.setattr(cli_cache, "SILENCE", 0.1)
    log, written = logging.getLogger("jsdiv_numba"), stream()
    with cli_cache.notice_of_compiling(written):
        for _ in range(2):
            log.info("compiling %s", "js_sum")
            time.sleep(seconds)
            log.info("compiled %s", "js_sum")
    said = cli_cache.NOTICE if written.isatty() and seconds else ""
    assert written.getvalue() == said
    assert not log.handlers


def test_kernels_of_other_versions_are_counted_apart(monkeypatch):
    with monkeypatch.context() as older:
        older.setattr(on_disk, "versions", lambda: {"format": "older"})
        on_disk.write("js_sum", "float64", Object("entry", (), b""))
    assert (cache.info().kernels, cache.info().others) == (0, 1)
