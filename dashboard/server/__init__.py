"""The HTTP server around Streamlit."""
