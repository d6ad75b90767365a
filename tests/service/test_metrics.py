import os
import shutil
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path

import pytest
from fastapi.routing import APIRoute
from prometheus_client.parser import text_string_to_metric_families

from service.metrics import IMAGE_ROUTES, FaceMeasures, Metrics, render_processes
from service.routes import router


@pytest.fixture
def metrics() -> Metrics:
    return Metrics(version="1.2.3")


def value(metrics: Metrics, sample: str, /, **labels: str) -> float | None:
    return metrics.registry.get_sample_value(sample, labels)


def test_a_request(metrics: Metrics) -> None:
    metrics.request_started()
    assert value(metrics, "mien_requests_in_flight") == 1
    metrics.request_finished("/predict", "POST", 200, 0.02)
    assert value(metrics, "mien_requests_in_flight") == 0
    labels = {"route": "/predict", "method": "POST", "status": "200"}
    assert value(metrics, "mien_requests_total", **labels) == 1
    assert value(metrics, "mien_request_duration_seconds_sum", route="/predict") == 0.02


def test_failures_that_alerts_count_begin_with_none(metrics: Metrics) -> None:
    for route in IMAGE_ROUTES:
        for status in ("500", "503", "504"):
            labels = {"route": route, "method": "POST", "status": status}
            assert value(metrics, "mien_requests_total", **labels) == 0
    for code in ("internal_error", "inference_failed"):
        assert value(metrics, "mien_image_problems_total", code=code) == 0
    for reason in ("rate_limited", "overloaded", "not_ready", "draining", "deadline_exceeded"):
        assert value(metrics, "mien_requests_shed_total", reason=reason) == 0


def test_images_go_to_the_routes_that_are_posted_to() -> None:
    routes = [route for route in router.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if route.methods == {"POST"}} == set(IMAGE_ROUTES)


def test_an_answer(metrics: Metrics) -> None:
    metrics.images_answered("/predict", 0.02)
    assert value(metrics, "mien_answer_duration_seconds_sum", route="/predict") == 0.02


def test_an_invented_method_is_no_series_of_its_own(metrics: Metrics) -> None:
    for method in ("BREW", "WHEN"):
        metrics.request_started()
        metrics.request_finished("/predict", method, 405, 0.001)
    labels = {"route": "/predict", "method": "other", "status": "405"}
    assert value(metrics, "mien_requests_total", **labels) == 2


def test_a_refused_request(metrics: Metrics) -> None:
    metrics.request_shed("overloaded")
    assert value(metrics, "mien_requests_shed_total", reason="overloaded") == 1


def test_an_image(metrics: Metrics) -> None:
    faces = [FaceMeasures("happy", 0.9, 100.0), FaceMeasures("sad", 0.5, 30.5)]
    metrics.image_analysed({"decode": 0.004, "detect": 0.02}, faces)
    assert value(metrics, "mien_stage_duration_seconds_sum", stage="decode") == 0.004
    assert value(metrics, "mien_stage_duration_seconds_count", stage="queue") is None
    assert value(metrics, "mien_faces_per_image_sum") == 2
    assert value(metrics, "mien_expressions_total", label="sad") == 1
    assert value(metrics, "mien_expression_confidence_ratio_sum") == pytest.approx(1.4)
    assert value(metrics, "mien_face_size_pixels_sum") == 130.5


def test_an_image_without_faces_counts_too(metrics: Metrics) -> None:
    metrics.image_analysed({"decode": 0.004, "detect": 0.02}, [])
    assert value(metrics, "mien_faces_per_image_bucket", le="0.0") == 1


def test_how_bright_images_are(metrics: Metrics) -> None:
    metrics.image_decoded(0.125)
    metrics.image_decoded(0.5)
    assert value(metrics, "mien_image_brightness_ratio_sum") == 0.625
    assert value(metrics, "mien_image_brightness_ratio_bucket", le="0.2") == 1


def test_the_batcher(metrics: Metrics) -> None:
    metrics.queue_changed(+3)
    metrics.queue_changed(-2)
    metrics.batch_finished(2)
    metrics.worker_died()
    assert value(metrics, "mien_queue_depth") == 1
    assert value(metrics, "mien_batch_size_sum") == 2
    assert value(metrics, "mien_worker_restarts_total") == 1


def test_what_runs_is_named(metrics: Metrics) -> None:
    metrics.model_loaded("expression", "0.1.0", "abc")
    labels = {"name": "expression", "version": "0.1.0", "sha256": "abc"}
    assert value(metrics, "mien_model_info", **labels) == 1
    assert value(metrics, "mien_build_info", version="1.2.3") == 1


@pytest.mark.parametrize("stage_seconds", [0.001, 10.0])
def test_buckets_reach_from_a_millisecond_to_ten_seconds(
    metrics: Metrics, stage_seconds: float
) -> None:
    metrics.image_analysed({"decode": stage_seconds}, [])
    bucket = {"stage": "decode", "le": str(stage_seconds)}
    assert value(metrics, "mien_stage_duration_seconds_bucket", **bucket) == 1


def test_two_instances_share_nothing(metrics: Metrics) -> None:
    metrics.worker_died()
    assert value(Metrics(version="1.2.3"), "mien_worker_restarts_total") == 0


def test_render_is_what_prometheus_reads(metrics: Metrics) -> None:
    text, content_type = metrics.render()
    families = {family.name for family in text_string_to_metric_families(text.decode())}
    assert content_type.startswith("text/plain")
    assert families >= {"mien_requests", "mien_queue_depth", "process_resident_memory_bytes"}
    assert families >= {"python_info", "python_gc_collections"}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="apt-get install prometheus")
def test_names_and_units_are_as_prometheus_wants_them(metrics: Metrics) -> None:
    text, _ = metrics.render()
    done = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True)
    assert (done.returncode, done.stderr.decode()) == (0, "")


def test_every_collector_is_ours_or_the_process_s(metrics: Metrics) -> None:
    ours = {family.name for family in metrics.registry.collect()}
    assert {name.split("_")[0] for name in ours} == {"mien", "process", "python"}


def test_counting_from_several_threads(metrics: Metrics) -> None:
    def count() -> None:
        for _ in range(1000):
            metrics.request_shed("overloaded")
            metrics.queue_changed(+1)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert value(metrics, "mien_requests_shed_total", reason="overloaded") == 4000
    assert value(metrics, "mien_queue_depth") == 4000


PROCESS = """
import sys
from service.metrics import FaceMeasures, Metrics, render_processes
metrics = Metrics(version="1.2.3")
metrics.request_started()
metrics.request_shed("overloaded")
print(flush=True)                      # counted
if sys.stdin.readline():               # until the test says so
    print(metrics.render()[0].decode())
"""


def start_process(directory: Path) -> subprocess.Popen[str]:
    # The client library chooses its mode when it is imported: this needs processes of its own.
    process = subprocess.Popen(
        [sys.executable, "-c", PROCESS],
        env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(directory)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    process.stdout.readline()
    return process


def scrape(process: subprocess.Popen[str]) -> Counter[str]:
    """The sum of each name's samples, whatever their labels."""
    text, _ = process.communicate("now\n", timeout=30)
    total: Counter[str] = Counter()
    for family in text_string_to_metric_families(text.lstrip()):
        for sample in family.samples:
            total[sample.name] += sample.value  # type: ignore[assignment]  # floats, of typeshed's ints
    return total


def test_who_is_no_such_process_can_add_them_up(tmp_path: Path) -> None:
    first, second = start_process(tmp_path), start_process(tmp_path)
    text, content_type = render_processes(tmp_path)
    for process in (first, second):
        process.communicate(timeout=30)
    assert "mien_requests_shed_total{" in text.decode()
    assert 'reason="overloaded"} 2.0' in text.decode()
    assert content_type.startswith("text/plain")


def test_several_processes_are_added_up(tmp_path: Path) -> None:
    first, second = start_process(tmp_path), start_process(tmp_path)
    total = scrape(first)
    second.communicate(timeout=30)
    assert total["mien_requests_shed_total"] == 2
    assert total["mien_requests_in_flight"] == 2
    assert total["mien_build_info"] == 1


def test_a_killed_process_leaves_its_counts_but_no_load(tmp_path: Path) -> None:
    first, second = start_process(tmp_path), start_process(tmp_path)
    second.kill()
    second.communicate(timeout=30)
    total = scrape(first)
    assert total["mien_requests_shed_total"] == 2
    assert total["mien_requests_in_flight"] == 1


def test_a_process_of_somebody_else_is_none_of_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its number was that of a worker that died."""
    first, second = start_process(tmp_path), start_process(tmp_path)
    for process in (first, second):
        process.kill()
        process.communicate(timeout=30)

    def forbidden(pid: int, signal: int) -> None:
        raise PermissionError(pid, signal)

    monkeypatch.setattr(os, "kill", forbidden)
    text, _ = render_processes(tmp_path)
    assert "mien_requests_in_flight" not in text.decode()
    assert "mien_requests_shed_total" in text.decode()
