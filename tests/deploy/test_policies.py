"""The manifests and the Dockerfile before tools that know the schemas and good practice."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.manifests import DIRECTORIES, K8S, ROOT, manifests, rendered

# The oldest version with all that we use, and the newest that the tool knows.
VERSIONS = ("1.31", "1.37")

# Not Kubernetes' own, so the tool has no schemas of them: the Gateway API and Google's additions.
UNKNOWN = {
    ("gateway.networking.k8s.io/v1", "Gateway"),
    ("gateway.networking.k8s.io/v1", "HTTPRoute"),
    ("networking.gke.io/v1", "HealthCheckPolicy"),
    ("networking.gke.io/v1", "GCPBackendPolicy"),
    ("networking.gke.io/v1", "GCPGatewayPolicy"),
    ("monitoring.googleapis.com/v1", "PodMonitoring"),
}

CHECKOV = ROOT / ".venv-checkov" / "bin" / "checkov"


def validate(path: Path, version: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", version, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("directory", DIRECTORIES)
def test_every_manifest_has_the_fields_of_its_kind(
    directory: str, version: str, tmp_path: Path
) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(rendered(directory))
    ours = [of for of in manifests(directory) if (of["apiVersion"], of["kind"]) not in UNKNOWN]

    validated = validate(path, version)

    said = validated.stdout + validated.stderr
    assert validated.returncode == 0, said
    assert said.count(" passed ") == len(ours), said


def test_a_misspelt_field_is_found(tmp_path: Path) -> None:
    path = tmp_path / "all.yaml"
    path.write_text(rendered("base").replace("enableServiceLinks", "enableServiceLink"))

    assert validate(path, VERSIONS[0]).returncode != 0


def test_checkov_finds_what_is_excepted_and_nothing_else(tmp_path: Path) -> None:
    if not CHECKOV.exists():
        pytest.skip(f"needs make {CHECKOV.relative_to(ROOT).parents[1]}/.ready")
    path = tmp_path / "all.yaml"
    path.write_text("---\n".join(rendered(directory) for directory in ("overlays/gke", "jobs")))
    files = [str(path), str(ROOT / "Dockerfile")]
    command = [str(CHECKOV), "--file", *files, "--skip-download", "--output", "json"]
    finished = subprocess.run(
        [*command, "--framework", "kubernetes", "dockerfile"],
        cwd=tmp_path,  # away from any configuration
        capture_output=True,
        text=True,
        check=False,
    )

    reports = json.loads(finished.stdout)
    assert {report["check_type"] for report in reports} == {"kubernetes", "dockerfile"}
    assert all(report["summary"]["passed"] > 50 for report in reports)
    failed = {
        check["check_id"] for report in reports for check in report["results"]["failed_checks"]
    }
    assert failed == set(yaml.safe_load((K8S / "checkov.yaml").read_text())["skip-check"])
