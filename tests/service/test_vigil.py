import threading

import pytest

from service.vigil import Vigil
from tests.service.fakes import PATIENCE_S


def test_nobody_at_work_is_stuck() -> None:
    assert not Vigil(0).stuck


@pytest.mark.parametrize(("limit_s", "stuck"), [(0, True), (3600, False)])
def test_a_job_is_stuck_once_it_has_lasted_too_long(limit_s: float, stuck: bool) -> None:
    vigil = Vigil(limit_s)
    with vigil:
        assert vigil.stuck is stuck
    assert not vigil.stuck


def test_a_job_that_fails_has_ended() -> None:
    vigil = Vigil(0)
    with pytest.raises(ValueError, match="job"), vigil:
        raise ValueError("job")
    assert not vigil.stuck


def test_each_thread_has_its_own_job() -> None:
    vigil, begun, end = Vigil(0), threading.Event(), threading.Event()

    def work() -> None:
        with vigil:
            begun.set()
            end.wait(PATIENCE_S)

    thread = threading.Thread(target=work)
    thread.start()
    assert begun.wait(PATIENCE_S)
    with vigil:
        pass
    assert vigil.stuck
    end.set()
    thread.join(PATIENCE_S)
    assert not vigil.stuck
