"""Export files: write them and read them back. No Streamlit; the command line uses this package too."""
