"""`python -m bridge.cli` is `bridge`, also where its script is not on the path."""

from bridge.cli import main

main(prog_name="bridge")
