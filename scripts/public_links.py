"""Make a copy of the project ready for PyPI: absolute links in the README, and the project's addresses.

Usage: public_links.py FOLDER URL TAG, such as: public_links.py copy https://github.com/OWNER/NAME v0.1.0

PyPI shows the README alone, so a relative link leads nowhere there. The repository itself has no address in its files:
the release workflow knows its own.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

LINK = re.compile(r"\]\((?!https?://|#)([^)\s]+)\)")
PICTURE = re.compile(r'\b(src|srcset)="(?!https?://)([^"]+)"')


def absolute(readme: str, url: str, tag: str) -> str:
    """Return a README whose links and pictures lead to a tag of the repository."""
    readme = LINK.sub(rf"]({url}/blob/{tag}/\1)", readme)
    # Without the parameter, GitHub serves an SVG as plain text.
    return PICTURE.sub(rf'\1="{url}/raw/{tag}/\2?sanitize=true"', readme)


def with_addresses(pyproject: str, url: str, tag: str) -> str:
    """Return a pyproject.toml with the addresses that PyPI shows beside the project."""
    addresses = {
        "Repository": url,
        "Documentation": f"{url}/blob/{tag}/docs/index.md",
        "Changelog": f"{url}/blob/{tag}/CHANGELOG.md",
        "Issues": f"{url}/issues",
    }
    lines = "".join(f'{name} = "{address}"\n' for name, address in addresses.items())
    return pyproject.replace("[project.scripts]\n", f"[project.urls]\n{lines}\n[project.scripts]\n", 1)


def main(folder: Path, url: str, tag: str) -> None:
    """Change the README and the metadata of a copy."""
    for name, change in (("README.md", absolute), ("pyproject.toml", with_addresses)):
        path = folder / name
        path.write_text(change(path.read_text(encoding="utf-8"), url, tag), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2].rstrip("/"), sys.argv[3])
