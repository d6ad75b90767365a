"""The images that the Dockerfile and the compose file name: pulled, or made of Debian's packages.

A stand-in has the name, the programs and the paths of the image that it stands for, so that what is
shipped runs unchanged where no registry can be reached. What else is in the real one, it can't say.
"""

import ast
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.deploy.engine import ROOT, Engine, NoEngine

STAND_IN = "stand-in"
PACKAGES = ("ca-certificates", "python3", "python3-venv", "nginx-light", "prometheus")
CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")
PROMETHEUS = """\
FROM stand-in
USER nobody
VOLUME /prometheus
ENTRYPOINT ["prometheus"]
"""
NGINX = """\
FROM stand-in
CMD ["nginx", "-g", "daemon off;"]
"""


def named(repository: str) -> str:
    """The image of `repository` that the Dockerfile or the compose file names, with its tag."""
    text = (ROOT / "Dockerfile").read_text() + (ROOT / "docker-compose.yml").read_text()
    (image,) = set(re.findall(rf"(?:FROM|image:) ({repository}:\S+)", text))
    return str(image)


def provide(engine: Engine) -> None:
    """Sees to it that `engine` has the images on which the service and its stack are built."""
    python, nginx, prometheus = named("python"), named("nginx"), named("prom/prometheus")
    if all(engine.can("docker", "pull", image) for image in (python, nginx, prometheus)):
        return
    if shutil.which("mmdebstrap") is None:
        raise NoEngine(f"{python} cannot be pulled, nor imitated: apt-get install mmdebstrap")
    _import_debian(engine)
    engine.docker("tag", STAND_IN, python)
    engine.docker("build", "--tag", nginx, "-", text=NGINX)
    engine.docker("build", "--tag", prometheus, "-", text=PROMETHEUS)


def _import_debian(engine: Engine) -> None:
    """The one file system of all stand-ins. In there, pip reaches what pip reaches out here."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as name:
        directory = Path(name)
        (directory / "pip.conf").write_text(_pip_settings())
        hooks = [
            f"copy-in {directory}/pip.conf /etc",
            f"copy-in {CERTIFICATES} {CERTIFICATES.parent}",
            'ln -s /usr/bin/python3 "$1/usr/local/bin/python"',
            'mkdir "$1/prometheus"',
            'chown 65534:65534 "$1/prometheus"',
        ]
        engine.run(
            *("mmdebstrap", "--quiet", "--variant=minbase", f"--include={','.join(PACKAGES)}"),
            '--aptopt=Acquire::Check-Valid-Until "false"',  # mirrors may be a little behind
            *(f"--customize-hook={hook}" for hook in hooks),
            *("bookworm", directory / "debian.tar"),
        )
        engine.docker("import", directory / "debian.tar", STAND_IN)


def _pip_settings() -> str:
    """A pip.conf that says where packages come from here."""
    listed = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], capture_output=True, text=True, check=True
    ).stdout
    settings = {"cert": str(CERTIFICATES)}
    for line in listed.splitlines():
        name, _, value = line.partition("=")
        key = name.rpartition(".")[2]
        if key in {"index-url", "trusted-host"}:
            settings[key] = ast.literal_eval(value)
    return "\n".join(["[global]", *(f"{key} = {value}" for key, value in settings.items())])
