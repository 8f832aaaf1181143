"""Service review of one customer as PDF: the scorecard's report with the tables of the customer's page."""

from datetime import datetime
from typing import Any

import streamlit as st

from dashboard.reports import pdf
from dashboard.sections import customer_review
from dashboard.sections.customer_review import Review
from dashboard.sections.scorecard import Scorecard


def button(review: Review, as_of: datetime | None) -> None:
    """Draw the button that downloads the review."""
    filters = review.filters
    st.download_button(
        "Service review (PDF)",
        data=lambda: pdf.pdf(review_text(review, as_of)),
        file_name=f"buyerview_service_review_{review.customer_id}_{filters.start}_{filters.end}.pdf",
        mime="application/pdf",
        icon=":material/picture_as_pdf:",
        on_click="ignore",
        key="service_review",
    )


def review_text(review: Review, as_of: datetime | None) -> dict[str, Any]:
    """Return everything the review shows as plain data (JSON)."""
    return {
        **pdf.report_text(Scorecard(review.view, review.trend), as_of, review.view.main),
        "title": f"Service review: {review.name}",
        "facts": customer_review.facts(review),
        "sections": [
            {
                "title": section.title,
                "heads": section.heads,
                "rows": customer_review.texts(section),
                "numeric": section.numeric,
                "note": section.note if section.rows else " ".join(f"{part.rstrip('.')}." for part in section.empty),
            }
            for section in customer_review.sections(review)
        ],
    }
