"""The report and the page of two runs under axe-core, Deque's accessibility checker.

`scripts/interop javascript` installs it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[1] / "interop/javascript"
AXE = FOLDER / "node_modules/axe-core/axe.min.js"

pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not AXE.is_file(), reason=f"axe-core is missing: npm ci has not run in {FOLDER}"),
]


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 390), ("dark", 390)])
@pytest.mark.parametrize("page", ["report", "comparison"])
def test_axe_has_no_finding_whether_sections_are_folded_or_open(browser, request, page, scheme, width):
    browser.show(request.getfixturevalue(page), scheme=scheme, width=width)
    browser.evaluate(f"{AXE.read_text(encoding='utf-8')}; 1")
    for opened in (False, True):
        if opened:
            browser.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true; })")
        answer = browser.call(
            "Runtime.evaluate",
            expression="axe.run().then(found => found.violations.map(item => [item.id, item.nodes[0].html]))",
            awaitPromise=True,
            returnByValue=True,
        )
        assert answer["result"]["value"] == []
