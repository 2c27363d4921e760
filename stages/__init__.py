"""The stages of the pipeline, each a command: `python -m stages.<name>`."""
