"""Temporary directories for what servers and tests write."""

import os
import pathlib
import shutil
import tempfile


def make_scratch():
    """A directory that other accounts can pass through; servers change theirs."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="evenpost-", dir="/tmp"))
    directory.chmod(0o755)
    return directory


def remove_scratch(directory):
    """EVENPOST_KEEP=1 keeps the configurations, logs and mail, to be looked at."""
    if os.environ.get("EVENPOST_KEEP"):
        print(f"kept: {directory}")
    else:
        shutil.rmtree(directory, ignore_errors=True)
