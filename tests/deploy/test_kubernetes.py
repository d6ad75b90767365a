"""The manifests fit together, and fit the service: what no schema knows."""

import re
import tomllib
from typing import Any

import pytest
import yaml

from benchmarks.capacity import AUTOSCALED, CPUS, PLACES
from service.app import create_app
from service.predict import MAX_FILE_BYTES
from service.settings import Settings
from tests.deploy.budgets import memory_bytes, stopping_s
from tests.deploy.manifests import (
    DIRECTORIES,
    K8S,
    ROOT,
    SERVICES,
    Manifest,
    container,
    environment,
    manifests,
    of_kind,
    only,
    pod_specs,
    quantity,
)
from tests.service.front import paths_of

SETTINGS = {f"MIEN_{name.upper()}" for name in Settings.model_fields}
METRICS_PORT = 9000
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]

# From where Google's load balancers ask: https://cloud.google.com/load-balancing/docs/firewall-rules
FRONT_ENDS = ("35.191.0.0/16", "130.211.0.0/22")

# What answers on the port of the service, but is for the cluster alone.
PROBES = {"/health/live", "/health/ready"}


def labels(directory: str) -> dict[str, str]:
    """Those of the pods of the Deployment."""
    found: dict[str, str] = only(directory, "Deployment")["spec"]["template"]["metadata"]["labels"]
    return found


def settings(directory: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The service's settings, read as in the pods; raises where a value is out of bounds."""
    for name, value in environment(directory).items():
        monkeypatch.setenv(name, value)
    return Settings()


def routes() -> set[str]:
    """Every path of the service's own port."""
    return paths_of(create_app(Settings(metrics_port=METRICS_PORT)).routes)


def selects(selector: dict[str, str], of: dict[str, str]) -> bool:
    return selector.items() <= of.items()


@pytest.mark.parametrize("directory", SERVICES)
def test_every_selector_finds_the_pods(directory: str) -> None:
    pods = labels(directory)
    assert selects(only(directory, "Deployment")["spec"]["selector"]["matchLabels"], pods)
    assert selects(only(directory, "Service")["spec"]["selector"], pods)
    assert selects(only(directory, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"], pods)
    for policy in of_kind(directory, "NetworkPolicy"):
        assert selects(policy["spec"]["podSelector"]["matchLabels"], pods)
    for spread in only(directory, "Deployment")["spec"]["template"]["spec"][
        "topologySpreadConstraints"
    ]:
        assert selects(spread["labelSelector"]["matchLabels"], pods)
    for monitoring in of_kind(directory, "PodMonitoring"):
        assert selects(monitoring["spec"]["selector"]["matchLabels"], pods)


def test_the_service_sends_nothing_to_the_pods_of_the_job() -> None:
    (pod,) = pod_specs("jobs")
    assert not selects(only("base", "Service")["spec"]["selector"], pod["metadata"]["labels"])


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_everything_is_in_one_namespace(directory: str) -> None:
    namespaces = {
        manifest["metadata"]["name"]
        if manifest["kind"] == "Namespace"
        else manifest["metadata"]["namespace"]
        for manifest in manifests(directory)
    }
    assert namespaces == {"mien"}


@pytest.mark.parametrize("directory", SERVICES)
def test_ports_are_those_of_the_service(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = container(only(directory, "Deployment")["spec"]["template"])["ports"]
    service = settings(directory, monkeypatch)
    assert {port["name"]: port["containerPort"] for port in ports} == {
        "http": service.port,
        "metrics": service.metrics_port,
    }
    (served,) = only(directory, "Service")["spec"]["ports"]
    assert served["targetPort"] == "http"
    opened = [
        port["port"]
        for policy in of_kind(directory, "NetworkPolicy")
        for rule in policy["spec"].get("ingress", [])
        for port in rule["ports"]
    ]
    assert opened == ["http", "metrics"]


@pytest.mark.parametrize("directory", SERVICES)
def test_probes_ask_for_what_the_service_answers(directory: str) -> None:
    pod = container(only(directory, "Deployment")["spec"]["template"])
    asked = {name: pod[f"{name}Probe"]["httpGet"] for name in ("startup", "readiness", "liveness")}
    assert {get["path"] for get in asked.values()} <= routes()
    assert asked["startup"]["path"] == asked["readiness"]["path"] == "/health/ready"
    assert asked["liveness"]["path"] == "/health/live"
    assert {get["port"] for get in asked.values()} == {"http"}


@pytest.mark.parametrize("directory", SERVICES)
def test_pods_are_stopped_no_sooner_than_they_are_done(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pod = only(directory, "Deployment")["spec"]["template"]["spec"]
    hook = container({"spec": pod}).get("lifecycle", {}).get("preStop", {})
    waits = hook.get("sleep", {}).get("seconds", 0)
    allowed = pod["terminationGracePeriodSeconds"]
    assert waits + stopping_s(settings(directory, monkeypatch)) <= allowed


@pytest.mark.parametrize("directory", SERVICES)
def test_the_worst_that_comes_in_fits_into_memory(
    directory: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits = container(only(directory, "Deployment")["spec"]["template"])["resources"]["limits"]
    needed = memory_bytes(settings(directory, monkeypatch), int(quantity(limits["cpu"])))
    assert needed <= quantity(limits["memory"])


def test_the_worst_photos_of_a_job_fit_into_memory() -> None:
    (pod,) = pod_specs("jobs")
    limits = container(pod)["resources"]["limits"]
    cpus = int(quantity(limits["cpu"]))
    files = Settings(max_concurrent_requests=2 * cpus + 1, max_body_bytes=MAX_FILE_BYTES)
    assert memory_bytes(files, cpus) <= quantity(limits["memory"])


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_variable_is_a_setting(directory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name for name in environment(directory) if name.startswith("MIEN_")}
    assert given <= SETTINGS
    settings(directory, monkeypatch)


def test_every_variable_of_the_compose_file_and_the_image_is_a_setting() -> None:
    for name in ("docker-compose.yml", "Dockerfile"):
        code = re.sub(r"(?m)#.*$", "", (ROOT / name).read_text())
        assert set(re.findall(r"\bMIEN_[A-Z_]+\b", code)) <= SETTINGS, name


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_no_service_of_the_cluster_changes_a_setting(directory: str) -> None:
    for pod in pod_specs(directory):
        assert pod["spec"]["enableServiceLinks"] is False


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_images_are_pinned_to_this_version(directory: str) -> None:
    for pod in pod_specs(directory):
        name, _, tag = container(pod)["image"].rpartition(":")
        assert name.rpartition("/")[2] == "mien"
        assert tag == VERSION


def test_images_of_the_compose_file_are_pinned() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    for service in services.values():
        assert re.search(r":v?\d+(\.\d+)+$|@sha256:[0-9a-f]{64}$", service["image"])


@pytest.mark.parametrize("directory", ["base", "overlays/gke"])
def test_the_autoscaler_has_the_deployment_for_itself(directory: str) -> None:
    deployment = only(directory, "Deployment")
    target = only(directory, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert target == {
        "apiVersion": deployment["apiVersion"],
        "kind": deployment["kind"],
        "name": deployment["metadata"]["name"],
    }
    assert "replicas" not in deployment["spec"]


def test_a_local_cluster_needs_no_autoscaler() -> None:
    assert of_kind("overlays/local", "HorizontalPodAutoscaler") == []
    assert only("overlays/local", "Deployment")["spec"]["replicas"] == 1


def test_the_capacity_is_that_of_the_shipped_replica(monkeypatch: pytest.MonkeyPatch) -> None:
    """benchmarks.capacity measures, and docs/operations.md shows, what is deployed."""
    limits = container(only("base", "Deployment")["spec"]["template"])["resources"]["limits"]
    (metric,) = only("base", "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert quantity(limits["cpu"]) == CPUS
    assert settings("base", monkeypatch).max_concurrent_requests == PLACES
    assert metric["resource"]["target"]["averageUtilization"] == 100 * AUTOSCALED


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_pods_are_restricted(directory: str) -> None:
    """Pod Security Standards, restricted, and a file system that nothing can be written to."""
    for pod in pod_specs(directory):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container(pod)["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()
    for namespace in of_kind(directory, "Namespace"):
        assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    for account in of_kind(directory, "ServiceAccount"):
        assert account["automountServiceAccountToken"] is False


@pytest.mark.parametrize("directory", SERVICES)
def test_the_user_is_that_of_the_image(directory: str) -> None:
    security = only(directory, "Deployment")["spec"]["template"]["spec"]["securityContext"]
    user = f"USER {security['runAsUser']}:{security['runAsGroup']}\n"
    assert user in (ROOT / "Dockerfile").read_text()


class TestGoogle:
    """What is there on Google Kubernetes Engine alone."""

    DIRECTORY = "overlays/gke"

    def route(self) -> Manifest:
        """The HTTPRoute that leads to the service."""
        (found,) = [
            route
            for route in of_kind(self.DIRECTORY, "HTTPRoute")
            if route["metadata"]["name"] == "mien"
        ]
        return found

    def test_routes_lead_from_the_gateway_to_the_service(self) -> None:
        gateway, service = only(self.DIRECTORY, "Gateway"), only(self.DIRECTORY, "Service")
        listeners = {listener["name"] for listener in gateway["spec"]["listeners"]}
        for route in of_kind(self.DIRECTORY, "HTTPRoute"):
            (parent,) = route["spec"]["parentRefs"]
            assert parent["name"] == gateway["metadata"]["name"]
            assert parent["sectionName"] in listeners
        (rule,) = self.route()["spec"]["rules"]
        (port,) = service["spec"]["ports"]
        assert rule["backendRefs"] == [{"name": service["metadata"]["name"], "port": port["port"]}]

    def test_what_is_for_people_is_led_out_and_nothing_else(self) -> None:
        (rule,) = self.route()["spec"]["rules"]
        paths = [match["path"] for match in rule["matches"]]

        def led_out(path: str) -> bool:
            return any(
                path == of["value"]
                or (of["type"] == "PathPrefix" and path.startswith(f"{of['value']}/"))
                for of in paths
            )

        assert {path for path in routes() if not led_out(path)} == PROBES
        assert {of["value"] for of in paths} <= routes()

    def test_browsers_are_told_to_stay_with_https(self) -> None:
        (rule,) = self.route()["spec"]["rules"]
        (told,) = [f["responseHeaderModifier"]["set"] for f in rule["filters"]]
        (header,) = told
        assert header["name"] == "Strict-Transport-Security"
        assert int(header["value"].removeprefix("max-age=")) >= 31_536_000  # a year

    def test_the_gateway_takes_no_old_tls(self) -> None:
        policy = only(self.DIRECTORY, "GCPGatewayPolicy")["spec"]
        gateway = only(self.DIRECTORY, "Gateway")["metadata"]["name"]
        assert (policy["targetRef"]["kind"], policy["targetRef"]["name"]) == ("Gateway", gateway)
        page = (ROOT / "docs" / "operations.md").read_text()
        name = policy["default"]["sslPolicy"]
        assert f"gcloud compute ssl-policies create {name} --profile MODERN --min-tls" in page

    @pytest.mark.parametrize("kind", ["HealthCheckPolicy", "GCPBackendPolicy"])
    def test_policies_are_those_of_the_service(self, kind: str) -> None:
        reference = only(self.DIRECTORY, kind)["spec"]["targetRef"]
        name = only(self.DIRECTORY, "Service")["metadata"]["name"]
        assert reference == {"group": "", "kind": "Service", "name": name}

    def test_the_front_ends_know_of_the_end_before_it_comes(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        health = only(self.DIRECTORY, "HealthCheckPolicy")["spec"]["default"]
        noticed = health["checkIntervalSec"] * health["unhealthyThreshold"] + health["timeoutSec"]
        assert health["config"]["httpHealthCheck"]["requestPath"] == "/health/ready"
        assert noticed <= settings(self.DIRECTORY, monkeypatch).drain_delay_s

    def test_the_service_answers_before_the_front_end_gives_up(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        policy = only(self.DIRECTORY, "GCPBackendPolicy")["spec"]["default"]
        deadline_s = settings(self.DIRECTORY, monkeypatch).deadline_s
        assert deadline_s < policy["timeoutSec"]
        assert deadline_s < policy["connectionDraining"]["drainingTimeoutSec"]

    def test_the_front_end_is_the_one_that_closes_idle_connections(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert settings(self.DIRECTORY, monkeypatch).keep_alive_s > 600  # Google's, and fixed

    def test_metrics_are_scraped_where_they_are(self) -> None:
        (endpoint,) = only(self.DIRECTORY, "PodMonitoring")["spec"]["endpoints"]
        assert (endpoint["port"], endpoint["path"]) == ("metrics", "/metrics")
        assert "/metrics" not in routes()

    def test_the_front_ends_are_let_in(self) -> None:
        sources: list[dict[str, Any]] = [
            source
            for policy in of_kind(self.DIRECTORY, "NetworkPolicy")
            for rule in policy["spec"].get("ingress", [])
            for source in rule["from"]
        ]
        assert all({"ipBlock": {"cidr": network}} in sources for network in FRONT_ENDS)

    def test_the_front_ends_are_believed(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """So are the load balancer's own address and nobody else: it follows the client's."""
        trusted = {str(of) for of in settings(self.DIRECTORY, monkeypatch).trusted_proxies}
        assert trusted == {*FRONT_ENDS, "192.0.2.1/32"}


def test_every_manifest_is_part_of_something_that_can_be_applied() -> None:
    used = {"cloudrun/service.yaml", "checkov.yaml"}
    for directory in DIRECTORIES:
        kustomization = yaml.safe_load((K8S / directory / "kustomization.yaml").read_text())
        used |= {
            f"{directory}/{name}" for name in (*kustomization["resources"], "kustomization.yaml")
        }
    there = {str(path.relative_to(K8S)) for path in K8S.rglob("*.yaml")}
    assert there <= used
