"""Which code made something."""

import subprocess


def commit(*paths: str) -> str:
    """The commit that the repository stands at, "-dirty" when one of `paths` was changed since."""

    def git(*arguments: str) -> str:
        command = ["git", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()  # noqa: S603

    changed = git("status", "--porcelain", "--", *paths)
    return git("rev-parse", "HEAD") + ("-dirty" if changed else "")
