import json

import pytest

from benchmarks.peers.answers import check_answer

EXPECTED = {"happy": 0.9, "sad": 0.1}
NEARLY = {"sad": 0.1004, "happy": 0.8996}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"faces": [{"box": [1, 2, 3, 4], "emotion": NEARLY}]}, id="raw"),
        pytest.param([[{"emotion": NEARLY}]], id="list of lists"),
        pytest.param({"outputs": [{"data": [json.dumps([{"emotion": NEARLY}])]}]}, id="text"),
    ],
)
def test_the_same_answer_counts_in_every_form(answer: object) -> None:
    check_answer(json.dumps(answer), EXPECTED, same_graphs=True)


@pytest.mark.parametrize(
    "faces",
    [
        pytest.param([], id="none"),
        pytest.param([{"emotion": EXPECTED}] * 2, id="two"),
        pytest.param([{"emotion": {"happy": 0.8, "sad": 0.2}}], id="others"),
        pytest.param([{"emotion": {"happy": 0.9}}], id="not all"),
    ],
)
def test_another_answer_does_not(faces: list[object]) -> None:
    with pytest.raises(RuntimeError, match="expected one face with"):
        check_answer(json.dumps({"faces": faces}), EXPECTED, same_graphs=True)


@pytest.mark.parametrize("body", ["<html>", '["[broken"]'])
def test_an_answer_that_is_no_json_does_not(body: str) -> None:
    with pytest.raises(RuntimeError, match="in JSON, found"):
        check_answer(body, EXPECTED, same_graphs=False)


def test_other_graphs_may_say_otherwise_of_one_face() -> None:
    face = {"emotion": {"happy": 0.2, "sad": 0.8}}
    check_answer(json.dumps([face]), EXPECTED, same_graphs=False)
    with pytest.raises(RuntimeError, match="expected one face"):
        check_answer("[]", EXPECTED, same_graphs=False)
