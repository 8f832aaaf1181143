"""Send alerts and digests. No Streamlit; ingest runs and the command line send too."""
