"""``python -m fledge``: the command line."""

import sys

from fledge.cli.main import main

sys.exit(main())
