"""docs/operations.md says what to do about each alert, and its commands name what is there."""

import re
import subprocess
from typing import Any

import pytest
import yaml

from service.images import ImageLimits
from tests.deploy.budgets import BYTES_A_PIXEL, IDLE_BYTES
from tests.deploy.manifests import DIRECTORIES, K8S, ROOT, manifests

PAGE = (ROOT / "docs" / "operations.md").read_text()
HEADINGS = re.findall(r"^#+ (.+)$", PAGE, re.MULTILINE)
RULES = sorted((ROOT / "deploy" / "prometheus" / "rules").glob("*.yml"))


def rule_groups() -> list[dict[str, Any]]:
    return [group for path in RULES for group in yaml.safe_load(path.read_text())["groups"]]


def alerts() -> set[str]:
    return {rule["alert"] for group in rule_groups() for rule in group["rules"] if "alert" in rule}


def test_every_alert_has_a_paragraph_and_no_paragraph_an_alert_that_is_gone() -> None:
    assert len(alerts()) > 8
    assert {heading for heading in HEADINGS if heading.startswith("Mien")} == alerts()


def test_the_command_for_googles_prometheus_makes_rules_of_all_rules() -> None:
    (command,) = re.findall(r"^for name in .*?^done$", PAGE, re.MULTILINE | re.DOTALL)
    shown = command.replace("| kubectl apply -f -", "; echo ---")
    assert shown != command
    made = subprocess.run(
        ["sh", "-c", shown], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout
    resources = [resource for resource in yaml.safe_load_all(made) if resource]

    assert {resource["kind"] for resource in resources} == {"Rules"}
    groups = [group for resource in resources for group in resource["spec"]["groups"]]
    assert all(group["interval"] == "1m" for group in groups)
    rules = [rule for group in groups for rule in group["rules"]]
    ours = [rule for group in rule_groups() for rule in group["rules"]]
    assert sorted(rules, key=str) == sorted(ours, key=str)


def test_every_part_of_the_page_that_is_linked_to_is_there() -> None:
    anchors = {re.sub(r"[^a-z0-9 -]", "", of.lower()).replace(" ", "-") for of in HEADINGS}
    linked = set(re.findall(r"\]\(#([a-z0-9-]+)\)", PAGE))
    assert linked
    assert linked <= anchors


def test_every_file_that_a_command_names_is_there() -> None:
    named = re.findall(r"\b((?:k8s|deploy|tests|benchmarks|models)/[\w./-]*\w)(?![\w$])", PAGE)
    yours = {
        "k8s/overlays/mine",
        "k8s/overlays/mine/kustomization.yaml",
    }
    measured = {"benchmarks/results/capacity.json"}
    assert {name for name in named if not (ROOT / name).exists()} <= yours | measured


def test_the_page_counts_memory_as_the_limits_do() -> None:
    assert f"{IDLE_BYTES // 2**20} MiB + MIEN_MAX_CONCURRENT_REQUESTS" in PAGE
    assert f"{ImageLimits().max_whole_pixels:,} x {BYTES_A_PIXEL} bytes" in PAGE


@pytest.mark.parametrize("directory", DIRECTORIES)
def test_what_is_said_about_a_resource_names_one_that_is_there(directory: str) -> None:
    names = {
        f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
        for manifest in manifests(directory)
    }
    everywhere = {
        f"{manifest['kind'].lower()}/{manifest['metadata']['name']}"
        for other in DIRECTORIES
        for manifest in manifests(other)
    }
    said = set(re.findall(r"\b(?:deployment|service|gateway|job)/[\w-]+", PAGE))
    assert said <= everywhere
    assert said & names


def test_the_placeholders_to_fill_in_are_in_the_files_that_the_page_names() -> None:
    for pattern, name in re.findall(r'sed -i "([^"]+)" (\S+)', PAGE):
        text = (ROOT / name).read_text()
        for placeholder in re.findall(r"s/([^/]+)/", pattern):
            assert placeholder in text, f"{name} has no {placeholder}"
    for path in K8S.rglob("*.yaml"):
        used = set(re.findall(r"REGION|PROJECT|mien\.example\.com|192\.0\.2\.1", path.read_text()))
        assert not used or f'" {path.relative_to(ROOT)}' in PAGE, path
