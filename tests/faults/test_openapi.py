"""The service asked for everything that its own document allows, and for what it does not allow."""

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import positive_data_acceptance

from benchmarks.mutants import mutant, originals
from service.app import create_app
from service.settings import Settings
from tests.service.test_server import Process

IMAGES = st.one_of(st.sampled_from(originals()), st.integers(0, 10**6).map(mutant), st.binary())
for kind in ("image/jpeg", "image/png", "image/webp"):
    schemathesis.openapi.media_type(kind, IMAGES)

DOCUMENT = schemathesis.openapi.from_dict(create_app(Settings()).openapi())
OPERATIONS = {
    found.ok().label: found.ok() for found in DOCUMENT.get_all_operations() if isinstance(found, Ok)
}
# Only these take anything that could be wrong.
MODES = [(name, GenerationMode.POSITIVE) for name in OPERATIONS] + [
    (name, GenerationMode.NEGATIVE) for name in OPERATIONS if name.startswith("POST")
]


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with Process() as service:
        yield f"http://127.0.0.1:{service.ready().port}"


@pytest.mark.parametrize(("operation", "mode"), MODES)
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_every_answer_is_one_of_the_document(
    operation: str, mode: GenerationMode, data: st.DataObject, address: str
) -> None:
    case: Any = data.draw(OPERATIONS[operation].as_strategy(generation_mode=mode))
    # Any bytes are an image as far as the document can say, but not every image is accepted.
    case.call_and_validate(base_url=address, excluded_checks=[positive_data_acceptance])


def test_it_was_asked_for_everything() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    assert len(OPERATIONS) == sum(len(methods) for methods in paths.values()) > 5
