"""The service's settings, read from the environment once at start.

Every field is the variable `MIEN_<FIELD IN CAPITALS>`; docs/configuration.md lists them all.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AliasChoices, BeforeValidator, Field, IPvAnyNetwork, StringConstraints
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

# A plain directory name: no separator, no "..", nothing that leaves `models_dir`.
DirectoryName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]

KeyHash = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
Origin = Annotated[str, StringConstraints(pattern=r"^(\*|https?://[^/\s]+)$")]


def _split(value: Any) -> Any:
    """An environment variable holds a list as words between commas."""
    return value.replace(",", " ").split() if isinstance(value, str) else value


Entry = TypeVar("Entry")
Listed = Annotated[tuple[Entry, ...], NoDecode, BeforeValidator(_split)]


class Settings(BaseSettings):
    """How one instance of the service is set up."""

    model_config = SettingsConfigDict(env_prefix="MIEN_", frozen=True, validate_by_name=True)

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on; a container listens on 0.0.0.0.",
    )
    port: int = Field(
        default=8000,
        ge=0,
        le=65_535,
        validation_alias=AliasChoices("MIEN_PORT", "PORT"),
        description="Port to listen on, 0 for any free one; PORT, as Cloud Run sets it, does too.",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=0,
        le=65_535,
        description="Port for /metrics alone, which the other port then has not; 0 for any.",
    )
    workers: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Server processes; more than one is for a machine without an orchestrator.",
    )
    models_dir: Path = Field(
        default=Path(__file__).parent.parent / "models",
        description="Directory that holds the model directories.",
    )
    expression_model: DirectoryName = Field(
        default="expression-2.0.0",
        description="Name of the expression model's directory.",
    )
    precision: Literal["auto", "fp32", "int8"] = Field(
        default="auto",
        description="What the models compute with; auto is int8 where the CPU is made for it.",
    )
    detector_model: DirectoryName = Field(
        default="face-detector-2.0.0",
        description="Name of the face detector's directory.",
    )
    max_body_bytes: int = Field(
        default=10 * 2**20,
        ge=2**10,
        le=2**30,
        description="Largest request body in bytes; a larger one is refused with 413.",
    )
    max_pixels: int = Field(
        default=50_000_000,
        ge=1,
        le=250_000_000,
        description=(
            "Largest image in pixels (PNG, WebP, progressive JPEG: 16 million at most), else 413."
        ),
    )
    max_batch_images: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Most images in one batch request; more are refused with 413.",
    )
    max_concurrent_requests: int = Field(
        default=64,
        ge=1,
        le=10_000,
        description="Image requests inside the service at once; one more is refused with 503.",
    )
    max_batch_size: int = Field(
        default=8,
        ge=1,
        le=256,
        description="Most face crops that one run of the expression model takes together.",
    )
    max_queue_size: int = Field(
        default=256,
        ge=1,
        le=100_000,
        description="Face crops that may wait for a run; a request that needs more gets 503.",
    )
    batch_wait_ms: float = Field(
        default=0.0,
        ge=0.0,
        le=1_000.0,
        description="Time a batch waits for more crops; 0 takes what queued during the last run.",
    )
    deadline_s: float = Field(
        default=15.0,
        gt=0.0,
        le=600.0,
        description="Time from admission to the answer, body included; past it the answer is 504.",
    )
    body_timeout_s: float = Field(
        default=10.0,
        gt=0.0,
        le=600.0,
        description="Time a client has to send its body; past it the answer is 408.",
    )
    api_keys: Listed[KeyHash] = Field(
        default=(),
        repr=False,
        description="SHA-256 of each key that may send images; without any, everybody may.",
    )
    rate_limit_per_minute: int | None = Field(
        default=None,
        ge=1,
        le=1_000_000,
        description="Image requests a minute from one key or address; more are refused with 429.",
    )
    trusted_proxies: Listed[IPvAnyNetwork] = Field(
        default=(),
        description="Networks of proxies whose X-Forwarded-For tells the client's address.",
    )
    cors_origins: Listed[Origin] = Field(
        default=(),
        description="Origins of other web pages that may ask from browsers; * for any.",
    )
    drain_delay_s: float = Field(
        default=5.0,
        ge=0.0,
        le=600.0,
        description="Time between SIGTERM, when readiness ends, and the end of accepting.",
    )
    keep_alive_s: int = Field(
        default=75,
        ge=1,
        le=3_600,
        description="Time an idle connection stays open; longer than the balancer in front has it.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=256,
        description="Threads that decode and infer; by default the CPUs available to each worker.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info",
        description="Least severe level that is logged; debug adds probes and scrapes.",
    )


def misspelt(variables: Iterable[str]) -> dict[str, str]:
    """Each of the variables that sets nothing, but nearly has a setting's name, with that name.

    Without its last letter, MIEN_API_KEYS would leave the service open to everybody. What
    Kubernetes derives from a Service's name, such as MIEN_SERVICE_HOST, resembles none.
    """
    names = [name.upper() for name in Settings.model_fields]
    meant = {}
    for variable in variables:
        prefix, found = variable[:5].upper(), variable[5:].upper()
        if prefix != "MIEN_" or found in names:
            continue
        near = get_close_matches(found, names, n=1, cutoff=0.85)
        near = near or [name for name in names if name.startswith(f"{found}_")]
        if near:
            meant[variable] = f"MIEN_{near[0]}"
    return meant
