import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from service.settings import Settings, misspelt

DOCUMENTATION = Path(__file__).parents[2] / "docs" / "configuration.md"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"MIEN_{name.upper()}", raising=False)
    monkeypatch.delenv("PORT", raising=False)


def test_defaults_need_no_environment() -> None:
    settings = Settings()

    assert (settings.host, settings.port, settings.workers) == ("127.0.0.1", 8000, 1)
    assert settings.threads is None


def test_precision_is_one_of_three(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Settings().precision == "auto"
    monkeypatch.setenv("MIEN_PRECISION", "int8")
    assert Settings().precision == "int8"
    monkeypatch.setenv("MIEN_PRECISION", "int4")
    with pytest.raises(ValidationError, match="auto"):
        Settings()


def test_the_models_are_found_beside_the_package(models_dir: Path) -> None:
    assert Settings().models_dir == models_dir


def test_every_field_is_read_from_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_MAX_BODY_BYTES", "2048")
    monkeypatch.setenv("MIEN_DEADLINE_S", "0.5")
    monkeypatch.setenv("MIEN_MODELS_DIR", "/somewhere")
    monkeypatch.setenv("mien_threads", "3")

    settings = Settings()

    assert settings.max_body_bytes == 2048
    assert settings.deadline_s == 0.5
    assert settings.models_dir == Path("/somewhere")
    assert settings.threads == 3


def test_port_is_taken_from_cloud_runs_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8080")

    assert Settings().port == 8080


def test_our_own_port_variable_goes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORT", "8080")
    monkeypatch.setenv("MIEN_PORT", "9000")

    assert Settings().port == 9000


def test_an_argument_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_PORT", "9000")

    assert Settings(port=0).port == 0


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_field_has_one_sentence(name: str) -> None:
    description = Settings.model_fields[name].description

    assert description is not None
    assert description.endswith(".")
    assert description.count(". ") == 0


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("host", ""),
        ("port", 65_536),
        ("workers", 0),
        ("expression_model", "../secrets"),
        ("expression_model", "a/b"),
        ("detector_model", ".."),
        ("detector_model", ""),
        ("max_body_bytes", 0),
        ("max_pixels", 0),
        ("max_batch_images", 0),
        ("max_concurrent_requests", 0),
        ("max_batch_size", 0),
        ("max_queue_size", 0),
        ("batch_wait_ms", -1),
        ("deadline_s", 0),
        ("body_timeout_s", 0),
        ("drain_delay_s", -1),
        ("keep_alive_s", 0),
        ("threads", 0),
        ("log_level", "loud"),
        ("port", "tcp://10.0.0.1:80"),
        ("metrics_port", 65_536),
        ("rate_limit_per_minute", 0),
        ("api_keys", "plain-text"),
        ("api_keys", "AB" * 32),
        ("api_keys", ["ab" * 32, "ab"]),
        ("trusted_proxies", "10.0.0.0/33"),
        ("trusted_proxies", "10.0.0.1/8"),
        ("trusted_proxies", "*"),
        ("trusted_proxies", "proxy.example.com"),
        ("cors_origins", "example.com"),
        ("cors_origins", "https://example.com/path"),
        ("cors_origins", "null"),
    ],
)
def test_a_value_out_of_bounds_is_refused(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings(**{name: value})


@pytest.mark.parametrize("text", ["{0},{1}", " {0} , {1} ", "{0} {1}", "{0}\n{1}\n"])
def test_a_list_is_words_between_commas(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    hashes = "ab" * 32, "cd" * 32
    monkeypatch.setenv("MIEN_API_KEYS", text.format(*hashes))
    monkeypatch.setenv("MIEN_CORS_ORIGINS", text.format("https://a.org", "http://localhost:3000"))
    monkeypatch.setenv("MIEN_TRUSTED_PROXIES", text.format("10.0.0.0/8", "::1"))

    settings = Settings()

    assert settings.api_keys == hashes
    assert settings.cors_origins == ("https://a.org", "http://localhost:3000")
    assert [str(network) for network in settings.trusted_proxies] == ["10.0.0.0/8", "::1/128"]


def test_an_empty_list_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MIEN_API_KEYS", "")

    assert Settings().api_keys == ()


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("MIEN_API_KEY", "MIEN_API_KEYS"),
        ("MIEN_LOGLEVEL", "MIEN_LOG_LEVEL"),
        ("MIEN_RATE_LIMIT", "MIEN_RATE_LIMIT_PER_MINUTE"),
        ("MIEN_DEADLINE", "MIEN_DEADLINE_S"),
        ("mien_cors_origin", "MIEN_CORS_ORIGINS"),
    ],
)
def test_a_name_that_is_nearly_a_setting_is_misspelt(variable: str, meant: str) -> None:
    assert misspelt([variable]) == {variable: meant}


def test_neither_a_setting_nor_what_others_name_after_us_is_misspelt() -> None:
    settings = [f"MIEN_{name.upper()}" for name in Settings.model_fields]
    kubernetes = ["SERVICE_HOST", "SERVICE_PORT", "SERVICE_PORT_HTTP", "PORT_80_TCP"]
    kubernetes += ["PORT_80_TCP_PORT", "METRICS_SERVICE_PORT", "METRICS_PORT_9100_TCP_ADDR"]

    assert misspelt(settings) == {}
    assert misspelt([f"MIEN_{name}" for name in kubernetes]) == {}
    assert misspelt(["mien_threads", "PORT", "API_KEY", "MIEN_FER2013"]) == {}
    assert misspelt(["MIEN_METRICS_HOST", "MIEN_MODELS_URL", "MIEN_DETECTOR_NAME"]) == {}


def test_settings_do_not_change() -> None:
    settings = Settings()

    with pytest.raises(ValidationError, match="frozen"):
        settings.port = 1  # type: ignore[misc]


def test_settings_travel_to_worker_processes() -> None:
    settings = Settings(port=1234, trusted_proxies="10.0.0.0/8")

    assert pickle.loads(pickle.dumps(settings)) == settings


def bounds(name: str) -> str:
    schema = Settings.model_json_schema(by_alias=False)["properties"][name]
    if "anyOf" in schema:
        schema = schema["anyOf"][0]
    if "enum" in schema:
        return ", ".join(schema["enum"])
    if "maximum" in schema:
        least = schema.get("minimum", schema.get("exclusiveMinimum"))
        above = "above " if "exclusiveMinimum" in schema else ""
        return f"{above}{least:,} to {schema['maximum']:,}".replace(".0", "")
    named = {
        "host": "an address",
        "models_dir": "a directory",
        "api_keys": "a list of hashes",
        "trusted_proxies": "a list of networks",
        "cors_origins": "a list of origins",
    }
    return named.get(name, "a directory's name")


@pytest.mark.parametrize("name", Settings.model_fields)
def test_the_table_in_the_documentation_is_right(name: str) -> None:
    field = Settings.model_fields[name]
    default = {"models_dir": "`models/` beside the package", "threads": "CPUs / workers"}.get(name)
    if default is None:
        default = f"`{field.default}`" if field.default not in (None, ()) else "none"
    row = f"| `MIEN_{name.upper()}` | {default} | {bounds(name)} | {field.description} |"

    assert row in DOCUMENTATION.read_text().splitlines()
