"""Cloud Run's manifest against the service and against what Cloud Run is known to do."""

import re
from typing import Any

import pytest
import yaml
from starlette.testclient import TestClient

from service.app import create_app
from service.settings import Settings
from tests.deploy.budgets import memory_bytes, stopping_s
from tests.deploy.manifests import K8S, ROOT, only, quantity
from tests.service.front import FakePipeline, application

# From SIGTERM to SIGKILL: cloud.google.com/run/docs/container-contract.
GRACE_S = 10


@pytest.fixture(scope="module")
def service() -> dict[str, Any]:
    manifest: dict[str, Any] = yaml.safe_load((K8S / "cloudrun" / "service.yaml").read_text())
    assert (manifest["apiVersion"], manifest["kind"]) == ("serving.knative.dev/v1", "Service")
    return manifest


@pytest.fixture(scope="module")
def instance(service: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = service["spec"]["template"]["spec"]
    return spec


@pytest.fixture(scope="module")
def container(instance: dict[str, Any]) -> dict[str, Any]:
    (found,) = instance["containers"]
    assert isinstance(found, dict)
    return found


@pytest.fixture
def settings(container: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Settings:
    """As the instance reads them; Cloud Run itself adds PORT."""
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    (port,) = container["ports"]
    monkeypatch.setenv("PORT", str(port["containerPort"]))
    return Settings()


def test_every_variable_is_a_setting(container: dict[str, Any]) -> None:
    known = {f"MIEN_{name.upper()}" for name in Settings.model_fields}
    assert {variable["name"] for variable in container["env"]} <= known


def test_it_listens_where_cloud_run_asks(settings: Settings, container: dict[str, Any]) -> None:
    (port,) = container["ports"]
    assert (settings.host, settings.port) == ("0.0.0.0", port["containerPort"])
    assert settings.metrics_port not in (None, settings.port)  # the port that everybody gets at
    for probe in ("startupProbe", "livenessProbe"):
        assert container[probe]["httpGet"]["port"] == port["containerPort"]


def test_probes_ask_for_what_the_service_answers(container: dict[str, Any]) -> None:
    with TestClient(application(FakePipeline())) as client:
        for probe in ("startupProbe", "livenessProbe"):
            assert client.get(container[probe]["httpGet"]["path"]).status_code == 200
    assert container["startupProbe"]["httpGet"]["path"] == "/health/ready"
    assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_it_has_ended_before_it_is_killed(settings: Settings) -> None:
    assert stopping_s(settings) <= GRACE_S
    assert settings.body_timeout_s < settings.deadline_s


def test_the_service_answers_before_cloud_run_gives_up(
    settings: Settings, instance: dict[str, Any]
) -> None:
    assert settings.deadline_s < instance["timeoutSeconds"]


def test_no_instance_refuses_what_it_is_sent(settings: Settings, instance: dict[str, Any]) -> None:
    assert instance["containerConcurrency"] <= settings.max_concurrent_requests


def test_the_worst_that_comes_in_fits_into_memory(
    settings: Settings, container: dict[str, Any]
) -> None:
    limits = container["resources"]["limits"]
    assert settings.threads == quantity(limits["cpu"])  # and not what there is for a start
    assert memory_bytes(settings, settings.threads) <= quantity(limits["memory"])


def test_the_front_end_is_the_one_that_closes_idle_connections(settings: Settings) -> None:
    assert settings.keep_alive_s > 600


def test_the_image_is_the_one_of_kubernetes(container: dict[str, Any]) -> None:
    (other,) = only("overlays/gke", "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["image"] == other["image"]


def test_the_start_is_quick_and_the_first_one_waits_for_nobody(service: dict[str, Any]) -> None:
    annotations = service["spec"]["template"]["metadata"]["annotations"]
    assert annotations["run.googleapis.com/startup-cpu-boost"] == "true"
    least, most = (int(annotations[f"autoscaling.knative.dev/{of}Scale"]) for of in ("min", "max"))
    assert 1 <= least <= most


def test_annotations_are_texts(service: dict[str, Any]) -> None:
    """Cloud Run refuses a number or a boolean there, and YAML makes one of what has no quotes."""
    for metadata in (service["metadata"], service["spec"]["template"]["metadata"]):
        assert all(isinstance(value, str) for value in metadata["annotations"].values())


def test_its_account_has_a_name_that_google_takes_and_is_the_one_made(
    instance: dict[str, Any],
) -> None:
    name, _, domain = instance["serviceAccountName"].partition("@")
    assert domain == "PROJECT.iam.gserviceaccount.com"
    # cloud.google.com/iam/docs/reference/rest/v1/projects.serviceAccounts/create
    assert re.fullmatch(r"(?=.{6,30}$)[a-z][a-z0-9-]*[a-z0-9]", name)
    page = (ROOT / "docs" / "operations.md").read_text()
    assert f"gcloud iam service-accounts create {name}\n" in page


def test_settings_make_a_service(settings: Settings) -> None:
    assert create_app(settings).title == "mien"
