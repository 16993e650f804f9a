"""Remedies: what went wrong in a set-up, and the way out, read off pip's last words."""

from __future__ import annotations

from collections.abc import Sequence

from .builds import CPU_BUILD, CUDA_BUILD

_NETWORK = "QGIS (Settings → Options → Network)"
FULL = (
    f"The disk is full: make room (the engine takes {CPU_BUILD.disk_mb} MB, with the build for "
    f"NVIDIA cards {CUDA_BUILD.disk_mb} MB) and run this again."
)
LOGIN = f"The proxy wants a name and a password: set them in {_NETWORK}, and run this again."
PROXY = (
    f"The proxy refuses: check it in {_NETWORK} or in HTTPS_PROXY, or set the engine up from a "
    "folder of wheels."
)
CERTIFICATE = (
    "The server's certificate is not trusted: add your organisation's to QGIS (Settings → Options "
    "→ Authentication → Manage certificates), and run this again."
)
UNREACHED = (
    f"The packages could not be reached: check the network, and the proxy in {_NETWORK}, and run "
    "this again; or set the engine up from a folder of wheels."
)

# Words of pip's, lower case, and what they ask the analyst to do; the first that is found counts.
_REMEDIES = (
    (("no space left", "not enough space"), FULL),
    (("407 ", "proxy authentication"), LOGIN),
    (("proxyerror", "cannot connect to proxy", "tunnel connection failed"), PROXY),
    (("certificate_verify_failed", "certificate verify failed", "sslerror"), CERTIFICATE),
    (("no matching distribution", "could not find a version", "connectionerror"), UNREACHED),
)


def explain(command: Sequence[str], kept: Sequence[str]) -> tuple[str, str]:
    """What went wrong in a set-up, and what to do, from a command's last words."""
    words = "\n".join(kept)
    said = f"The set-up of the engine failed in “{' '.join(command[:6])} …”:\n{words}\n"
    lower = words.lower()
    for signs, advice in _REMEDIES:
        if any(sign in lower for sign in signs):
            return said, advice
    return said, "Run this again; the messages above say what pip met."
