"""Bring your data: drop files or read a connection, answer questions, check the verdicts, and publish."""

from dashboard.components import theme
from dashboard.frame import page
from dashboard.sections import bring_data, bring_data_kept, bring_data_missing

page.subtitle("Drop your records. Buyerview proposes how to read them, shows what they give, and publishes.")
if not bring_data.may_publish():
    bring_data.refused()
else:
    with theme.card("upload"):
        bring_data.upload()
        if not page.has_data():
            bring_data.sample_hint()
    bring_data.source_in_work()
    bring_data_kept.sources_list()
    if page.has_data() and not bring_data.is_unpublished():
        bring_data_missing.of_published_data()
