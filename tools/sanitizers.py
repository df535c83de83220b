"""The compiler of the sanitized builds (the presets asan and tsan)."""
import os
import pathlib
import shutil
import subprocess
import sys

CLANG, RUNTIME = "clang-19", "libclang-rt-19-dev"  # the sanitizers and libFuzzer are in the second


def install_clang():
    if shutil.which(CLANG):
        resources = subprocess.run([CLANG, "-print-resource-dir"], capture_output=True, text=True, check=True).stdout.strip()
        if all(list(pathlib.Path(resources).rglob(f"libclang_rt.{part}*")) for part in ("asan", "tsan", "fuzzer")):
            return
    sudo = [] if os.geteuid() == 0 else ["sudo"]
    subprocess.run([*sudo, "apt-get", "install", "-y", "-qq", "--no-install-recommends", CLANG, RUNTIME], check=True, stdout=sys.stderr)
