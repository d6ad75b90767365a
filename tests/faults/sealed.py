"""The service where nothing can be written: run as a process, by tests of what it does then.

`python -m tests.faults.sealed ...` is `python -m service ...` in a mount namespace of its own,
where the root file system is read-only. The directory named in FULL, if that is set, is writable
and has 4 kB left; the metrics of several workers go there.
"""

import os
import shutil
import sys
from pathlib import Path

# The directory is entered again at the end: the one that was entered before is still writable.
_SCRIPT = """
set -e
mount --rbind / /
if [ -n "$FULL" ]; then mount -t tmpfs -o size=4k none "$FULL"; fi
mount -o remount,bind,ro /
cd "$1"
shift
exec "$@"
"""


def main() -> None:
    if "FULL" in os.environ:
        os.environ["PROMETHEUS_MULTIPROC_DIR"] = os.environ["FULL"]
    unshare = shutil.which("unshare")
    assert unshare is not None
    namespace = ("--user", "--map-root-user", "--mount")
    service = (sys.executable, "-m", "service", *sys.argv[1:])
    os.execv(unshare, (unshare, *namespace, "sh", "-c", _SCRIPT, "sh", str(Path.cwd()), *service))


if __name__ == "__main__":
    main()
