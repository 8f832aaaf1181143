"""Numbers to parts of a screen. Imports `metrics`, Streamlit and Altair; never `ingest`."""
