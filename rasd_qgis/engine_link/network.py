"""The network as QGIS is set to use it, told to pip: its proxy, and certificates it trusts."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

from qgis.core import QgsApplication, QgsSettings

CERTIFICATES = "qgis-certificates.pem"
# By QGIS's words for the kinds of proxy; "DefaultProxy" is the system's, which pip finds itself.
_SCHEMES = {"HttpProxy": "http", "HttpCachingProxy": "http", "Socks5Proxy": "socks5"}


def pip_settings(folder: Path) -> dict[str, str]:
    """Variables for pip that hold QGIS's settings; {} where QGIS has none of its own.

    folder: where certificates that QGIS trusts are put for pip to read.
    """
    return {**_proxy(), **_certificates(folder)}


def _proxy() -> dict[str, str]:
    settings = QgsSettings()
    if not settings.value("proxy/proxyEnabled", False, type=bool):
        return {}
    scheme = _SCHEMES.get(settings.value("proxy/proxyType", "", type=str))
    host = settings.value("proxy/proxyHost", "", type=str)
    if scheme is None or not host:
        return {}
    port = settings.value("proxy/proxyPort", "", type=str)
    user = settings.value("proxy/proxyUser", "", type=str)
    word = settings.value("proxy/proxyPassword", "", type=str)
    login = f"{quote(user, safe='')}:{quote(word, safe='')}@" if user else ""
    address = f"{scheme}://{login}{host}{':' + port if port else ''}"
    excluded = settings.value("proxy/noProxyUrls", [], type=list)
    return {
        "HTTP_PROXY": address,
        "HTTPS_PROXY": address,
        "http_proxy": address,
        "https_proxy": address,
        "NO_PROXY": ",".join(_host(url) for url in excluded),
    }


def _host(url: str) -> str:
    return str(url).split("://", 1)[-1].split("/", 1)[0]


def _certificates(folder: Path) -> dict[str, str]:
    """All certificates that QGIS trusts, where the user added some to the system's."""
    manager = QgsApplication.authManager()
    if manager.isDisabled() or not (manager.databaseCAs() or manager.extraFileCAs()):
        return {}
    path = folder / CERTIFICATES
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(manager.trustedCaCertsPemText()))
    except OSError:
        return {}
    return {"PIP_CERT": str(path)}
