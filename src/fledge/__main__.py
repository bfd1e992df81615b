"""``python -m fledge``: the command line."""

from fledge.cli.main import command

command()
