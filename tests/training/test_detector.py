import subprocess
import sys

import pytest

from training.detector import VERBS, main


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_own_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([verb, "--help"])
    assert end.value.code == 0
    assert f"python -m training.detector {verb}" in capsys.readouterr().out


def test_without_a_verb_centerface_is_meant(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--fit"])
    assert "--data" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["--help"], ["teach"]])
def test_anything_else_tells_what_there_is(arguments: list[str]) -> None:
    command = [sys.executable, "-m", "training.detector", *arguments]
    told = subprocess.run(command, capture_output=True, text=True, check=False)
    assert told.returncode == 1
    for verb in VERBS:
        assert f"python -m training.detector {verb}" in told.stderr
