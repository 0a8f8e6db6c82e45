"""The wheel of this very package, made from its installed files, with which a machine elsewhere runs the same code.

The same files give the same bytes on every machine: nothing is compressed, and no time is recorded. It makes no
difference whether the package is installed from a wheel or from its sources.

Source of the format: the Python packaging specification "Binary distribution format".
"""

from __future__ import annotations

import base64
import hashlib
import io
import zipfile
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

from asteroid_ll import __version__
from asteroid_ll.errors import AsteroidError

_DISTRIBUTION = "asteroid-ll"
_STEM = f"asteroid_ll-{__version__}"
_EPOCH = (1980, 1, 1, 0, 0, 0)
"""The first moment that a ZIP archive can have."""

_WHEEL = "Wheel-Version: 1.0\nGenerator: asteroid-ll\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def file_name() -> str:
    """Return the wheel's file name, from which pip reads the version and the tags."""
    return f"{_STEM}-py3-none-any.whl"


def build() -> bytes:
    """Return the wheel: the package's files, and the requirements without the optional ones.

    Raises:
        AsteroidError: the package was never installed, so its requirements are unknown.
    """
    files = {
        **_package_files(),
        f"{_STEM}.dist-info/METADATA": _metadata(),
        f"{_STEM}.dist-info/WHEEL": _WHEEL.encode(),
    }
    record = f"{_STEM}.dist-info/RECORD"
    files[record] = "".join([*map(_record_line, files, files.values()), f"{record},,\n"]).encode()
    wheel = io.BytesIO()
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.create_system = 3  # Unix, also if another system makes it
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, content)
    return wheel.getvalue()


def _package_files() -> dict[str, bytes]:
    root = Path(__file__).parent
    return {f"{root.name}/{path.relative_to(root).as_posix()}": path.read_bytes() for path in _sources(root)}


def _sources(root: Path) -> Iterator[Path]:
    return (path for path in sorted(root.rglob("*")) if path.is_file() and "__pycache__" not in path.parts)


def _metadata() -> bytes:
    try:
        installed = metadata(_DISTRIBUTION)
    except PackageNotFoundError as error:
        raise AsteroidError(
            "The requirements of asteroid-ll are unknown, because it is not installed.",
            hint="python -m pip install asteroid-ll   installs it.",
        ) from error
    required = sorted(text for text in installed.get_all("Requires-Dist") or () if "extra ==" not in text)
    lines = [
        "Metadata-Version: 2.1",
        f"Name: {_DISTRIBUTION}",
        f"Version: {__version__}",
        f"Requires-Python: {installed['Requires-Python']}",
        *(f"Requires-Dist: {text}" for text in required),
    ]
    return "".join(f"{line}\n" for line in lines).encode()


def _record_line(name: str, content: bytes) -> str:
    digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"{name},sha256={digest},{len(content)}\n"
