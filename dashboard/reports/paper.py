"""Set plain data as a PDF by a Typst template. Texts are data, so that a customer's name is never markup."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dashboard.frame import chart_download


def typeset(template: Path, view: dict[str, Any]) -> bytes:
    """Return a tagged PDF (PDF/UA-1) of everything that `view` shows. The same view gives the same bytes.

    Any: nested JSON, with the time of the document under "made".
    """
    import typst  # slow to import, and only reports need it

    return bytes(
        typst.compile(
            str(template),
            sys_inputs={"view": json.dumps(view, ensure_ascii=False)},
            font_paths=[str(chart_download.PRINT_FONTS)],
            format="pdf",
            pdf_standards="ua-1",
            timestamp=int(datetime.fromisoformat(view["made"]).replace(tzinfo=UTC).timestamp()),
        )
    )
